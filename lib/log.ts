/** Structured log on stderr: JSON lines, or one readable line each on a terminal. Secrets are taken out by their names. */
import pino, { type Logger } from 'pino'
import { env } from './env.ts'
import { lineWriter } from './log-lines.ts'

export type { Logger } from 'pino'

const secretNames = [
  'authorization',
  'cookie',
  'set-cookie',
  'key',
  'apiKey',
  'token',
  'secret',
  'password',
  'signature',
]
const redactedPaths = secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`])

const shared = globalThis as { [key: symbol]: unknown }
const processKey = Symbol.for('agent-relay.log')

/** A logger of its own, for a program or test that chooses where its lines go. */
export function createLog(level: string, destination: { write(line: string): void }): Logger {
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: '[redacted]' },
    },
    destination,
  )
}

/** The process's logger; on globalThis, because server.ts and Next's bundle load this module separately. */
export function getLog(): Logger {
  shared[processKey] ??= createLog(
    env().LOG_LEVEL,
    process.stderr.isTTY ? lineWriter(process.stderr) : pino.destination({ fd: 2, sync: true }),
  )
  return shared[processKey] as Logger
}
