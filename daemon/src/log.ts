/** daemon.log: one JSON object a line, bounded, never a body or a key. */
import { appendFileSync, chmodSync, renameSync, statSync } from 'node:fs'

const LEVELS = { debug: 10, info: 20, warn: 30, error: 40 } as const
type LogLevel = keyof typeof LEVELS
type Fields = Record<string, unknown>
export type Log = Record<LogLevel, (text: string, fields?: Fields) => void>

/** Two files of this size at most: daemon.log and daemon.log.1. */
const MAX_BYTES = 10 * 1024 * 1024

/** A log that appends to `path`, 0600. `level` is the least that is written; an unknown one means info. */
export function openLog(path: string, level: string | undefined, echo: boolean): Log {
  const least = LEVELS[(level ?? 'info') as LogLevel] ?? LEVELS.info
  let sizeBytes = sizeOf(path)
  const write = (name: LogLevel, text: string, fields: Fields = {}): void => {
    if (LEVELS[name] < least) return
    const line = `${JSON.stringify({ at: new Date().toISOString(), level: name, text, ...plain(fields) })}\n`
    if (echo) process.stderr.write(line)
    try {
      if (sizeBytes + line.length > MAX_BYTES) {
        renameSync(path, `${path}.1`)
        sizeBytes = 0
      }
      appendFileSync(path, line, { mode: 0o600 })
      if (sizeBytes === 0 && process.platform !== 'win32') chmodSync(path, 0o600)
      sizeBytes += line.length
    } catch {
      // A full disk must not end the daemon because of its log; whoever asks gets the error by the socket.
    }
  }
  return {
    debug: (text, fields) => write('debug', text, fields),
    info: (text, fields) => write('info', text, fields),
    warn: (text, fields) => write('warn', text, fields),
    error: (text, fields) => write('error', text, fields),
  }
}

function plain(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? { message: value.message, stack: value.stack, cause: String(value.cause ?? '') } : value,
    ]),
  )
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}
