/** A running program, whatever carries its bytes: a pseudo-terminal or plain pipes. */
import type { RunEvents } from '../run-host.ts'

export type ProgramOrder = {
  file: string
  args: string[]
  cwd: string
  env: Record<string, string>
}

export type ProgramEvents = {
  output: RunEvents['output']
  /** The program itself ended and its last output was told; others of its session may still live. */
  exit: RunEvents['exit']
}

export type Program = {
  /** Also its session and its process group. */
  readonly pid: number
  readonly hasTerminal: boolean
  /** Resolves when the system took all bytes; waits while the program does not read. Rejects when it never will. Calls keep their order. */
  write(data: Buffer): Promise<void>
  /** Ends its input after what was written. */
  endInput(): Promise<void>
  resize(cols: number, rows: number): void
  /** Stops and starts reading its output, so that it blocks instead of filling our memory. */
  pause(): void
  resume(): void
}
