/** Where a command's words go: stdout is data, stderr is talk. */
import { readEnvironment } from '../home/env.ts'

export type Paint = (style: keyof typeof styles, text: string) => string

export type Io = {
  /** A line of data. */
  print(line: string): void
  /** A machine-readable answer: one JSON document with the version of its shape. */
  printJson(value: Record<string, unknown>): void
  /** A line for a person. */
  say(line: string): void
  /** Colours for stdout, or none when it is not a terminal. */
  paint: Paint
  /** How wide stdout is; without end when it is not a terminal. */
  columns: number
  /** A person can be asked: stdin and stderr are terminals and this is no CI. */
  canAsk: boolean
}

/** The version of every `--json` shape; it grows when a field changes its meaning. */
const JSON_VERSION = 1

const styles = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const

/** The process's own streams. Somebody who closes the other end, as `| head` does, ends the command without an error. */
export function processIo(): Io {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  const environment = readEnvironment()
  const isColored = process.stdout.isTTY === true && environment.hasColor
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    printJson: (value) => void process.stdout.write(`${JSON.stringify({ version: JSON_VERSION, ...value })}\n`),
    say: (line) => void process.stderr.write(`${line}\n`),
    paint: (style, text) => (isColored ? `\u001b[${styles[style][0]}m${text}\u001b[${styles[style][1]}m` : text),
    columns: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
    canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true && !environment.isCi,
  }
}
