/** A program in a pseudo-terminal of this process: no helper process per agent. */
import { writeSync } from 'node:fs'
import { constants } from 'node:os'
import type { IPty } from '@lydell/node-pty'
import { spawn } from '@lydell/node-pty'
import { RelayError } from '../errors.ts'
import type { Program, ProgramEvents, ProgramOrder } from './program.ts'

export type TerminalSize = { cols: number; rows: number }

/** A terminal's input buffer is full: look again after this long, doubling up to the second. The kernel has no event for it that Node can hear. */
const RETRY_MS = [5, 250] as const
/** Between two writes of a long text other agents get their turn. */
const WRITE_BYTES = 4096

/** Starts the program as the leader of its own session, with the terminal as its controlling one. */
export function startInTerminal(order: ProgramOrder, size: TerminalSize, events: ProgramEvents): Program {
  const { file, args, cwd, env } = order
  const pty = spawn(file, args, { ...size, cwd, env, name: env.TERM || 'xterm-256color', encoding: null })
  const input = terminalInput(pty)
  pty.onData((data) => events.output('stdout', data as unknown as Buffer))
  pty.onExit(({ exitCode, signal }) => {
    input.close()
    events.exit(signal ? null : exitCode, signal ? signalName(signal) : null)
  })
  return {
    pid: pty.pid,
    hasTerminal: true,
    write: input.write,
    // A terminal has no end of input but the character for it, which a program in line mode takes as such.
    endInput: () => input.write(Buffer.of(4)),
    resize(cols, rows) {
      if (input.isOpen()) pty.resize(cols, rows)
    },
    pause: () => pty.pause(),
    resume: () => pty.resume(),
  }
}

/**
 * Writes of our own: node-pty's go through a libuv handle that blocks, and one program that does not read would stop the
 * whole daemon (measured: 2 s without a tick). The descriptor itself is non-blocking.
 */
function terminalInput(pty: IPty) {
  const fd = (pty as unknown as { fd?: number }).fd
  const queue: { data: Buffer; resolve: () => void; reject: (error: Error) => void }[] = []
  let isOpen = true
  let timer: NodeJS.Timeout | undefined
  let delayMs: number = RETRY_MS[0]

  function pump(): void {
    timer = undefined
    const head = queue[0]
    if (!head || !isOpen) return
    try {
      const written = writeSome(head.data.subarray(0, WRITE_BYTES))
      head.data = head.data.subarray(written)
      delayMs = RETRY_MS[0]
      if (head.data.length === 0) {
        queue.shift()
        head.resolve()
      }
      if (queue.length > 0) timer = setTimeout(pump, 0)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        close()
        return
      }
      timer = setTimeout(pump, delayMs)
      delayMs = Math.min(delayMs * 2, RETRY_MS[1])
    }
  }

  function writeSome(data: Buffer): number {
    if (fd !== undefined) return writeSync(fd, data)
    pty.write(data as unknown as string)
    return data.length
  }

  function close(): void {
    isOpen = false
    clearTimeout(timer)
    for (const { reject } of queue.splice(0)) reject(gone())
  }

  return {
    isOpen: () => isOpen,
    close,
    write: (data: Buffer): Promise<void> =>
      new Promise((resolve, reject) => {
        if (!isOpen) return reject(gone())
        if (data.length === 0) return resolve()
        queue.push({ data, resolve, reject })
        if (queue.length === 1) pump()
      }),
  }
}

const gone = () => new RelayError('UNAVAILABLE', 'The program has ended. Next: agent-relay agents shows who is there.')

const signalName = (number: number): string =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`
