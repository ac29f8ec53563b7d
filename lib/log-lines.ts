import type { Writable } from 'node:stream'

const colours: Record<string, number> = { fatal: 31, error: 31, warn: 33, info: 36, debug: 90, trace: 90 }
const paint = (code: number, text: string) => `\u001b[${code}m${text}\u001b[0m`

/** Turns JSON log lines into `12:00:01 warn  message key=value`, a stack below it where an error carries one. */
export function lineWriter(out: Writable): { write(line: string): void } {
  return { write: (line) => out.write(toLine(line)) }
}

/** One log record as text; whatever is no record stays as it is. */
function toLine(json: string): string {
  let record: Record<string, unknown>
  try {
    record = JSON.parse(json) as Record<string, unknown>
  } catch {
    return json
  }
  const { level, time, msg, err, ...rest } = record
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${fieldText(value)}`)
  const head = `${String(time).slice(11, 19)} ${paint(colours[String(level)] ?? 0, String(level).padEnd(5))}`
  const text = [head, msg, paint(90, fields.join(' '))].filter((part) => part !== undefined && part !== paint(90, ''))
  const stack = (err as { stack?: string } | undefined)?.stack
  return `${text.join(' ')}\n${stack ? `${stack.replace(/^/gm, '    ')}\n` : ''}`
}

const fieldText = (value: unknown): string =>
  typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value)
