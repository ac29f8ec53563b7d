/** A program on plain pipes: exact bytes both ways, for scripts and for everything that is not at a terminal. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { RelayError } from '../errors.ts'
import type { Program, ProgramEvents, ProgramOrder } from './program.ts'

/** Starts the program as the leader of its own session. */
export function startOnPipes({ file, args, cwd, env }: ProgramOrder, events: ProgramEvents): Program {
  const child = spawn(file, args, { cwd, env: env as NodeJS.ProcessEnv, detached: true, stdio: 'pipe' })
  // Reported by the missing pid; and later a signal that cannot be sent, which the exit answers.
  child.on('error', () => {})
  if (child.pid === undefined)
    throw new RelayError(
      'UNAVAILABLE',
      `${JSON.stringify(file)} could not be started. Next: run it without agent-relay to see why.`,
    )
  child.stdout.on('data', (data: Buffer) => events.output('stdout', data))
  child.stderr.on('data', (data: Buffer) => events.output('stderr', data))
  // Not 'close': somebody whom the program left behind may hold the pipes open for ever.
  child.on('exit', async (code, signal) => {
    await drained([child.stdout, child.stderr])
    events.exit(code, signal)
  })
  // Its reader is gone: every pending write hears of it by its own callback.
  child.stdin.on('error', () => {})

  return {
    pid: child.pid,
    hasTerminal: false,
    write: (data) =>
      new Promise((resolve, reject) => {
        if (child.stdin.destroyed || child.stdin.writableEnded) return reject(closedInput())
        child.stdin.write(data, (error) => (error ? reject(closedInput()) : resolve()))
      }),
    endInput: () => new Promise((resolve) => void child.stdin.end(resolve)),
    resize: () => {},
    pause() {
      child.stdout.pause()
      child.stderr.pause()
    },
    resume() {
      child.stdout.resume()
      child.stderr.resume()
    },
  }
}

const closedInput = () =>
  new RelayError(
    'UNAVAILABLE',
    'The program does not read its input any more. Next: agent-relay inbox shows what waits.',
  )

/** How long after the program's end its pipes may still bring what it printed. */
const DRAIN_MS = 200

async function drained(streams: Readable[]): Promise<void> {
  const closing = streams.filter((stream) => !stream.closed).map((stream) => once(stream.resume(), 'close'))
  const late = new AbortController()
  const limit = setTimeout(DRAIN_MS, undefined, { signal: late.signal }).catch(() => {})
  await Promise.race([Promise.all(closing), limit])
  late.abort()
}
