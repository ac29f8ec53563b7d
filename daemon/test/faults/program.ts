/** A real process of a scene: started, asked, frozen, killed. None outlives the test, however that ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const preload = new URL('./preload.mjs', import.meta.url).href
/** Enough to see why it ended. */
const SAID_LINES = 40

/** How fast clocks run: 10 turns the 40 s after which a silent link is given up into 4. FAULT_PACE=1 is real time. */
export const PACE = Number(process.env.FAULT_PACE ?? 10)
const since = Date.now()
/** So many ms of the programs' clocks, in real ms. */
export const paced = (ms: number): number => ms / PACE
/** How long everything may take to become quiet: a retry, a reconnect, an engine ping, and a computer with other things to do. */
export const QUIET_MS = 60_000 + paced(120_000)

/** The options of a test: for its scene and its quiet, for `ms` of the programs' clocks, and for `realMs` more. */
export const limits = (ms: number, realMs = 0): { timeout: number } => ({
  timeout: 120_000 + QUIET_MS + paced(ms) + realMs,
})

export type Program = {
  readonly pid: number
  /** Its first IPC message, or the line for which was waited; rejects with its last words when it ends before. */
  ready: Promise<unknown>
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  isAlive(): boolean
  signal(signal: NodeJS.Signals): void
  /** Lets go of its channel: an orderly program ends then. */
  end(): void
  /** Lets a program go that waits for its first message. */
  go(): void
  /** Asks over IPC; see lib/testing/stage-process.ts. */
  ask(question: string, input: unknown): Promise<unknown>
  /** After a collection of its garbage. */
  memory(): Promise<Memory>
  /** Its last lines on stderr. */
  lastWords(): string
  /** Kills it and waits for its end. */
  kill(): Promise<void>
}

/** `keptBytes`: objects, strings and buffers that are still held; `residentBytes`: all of the process, garbage too. */
export type Memory = { keptBytes: number; residentBytes: number }

export type ProgramOptions = {
  env?: Record<string, string>
  /** The command that runs it elsewhere, such as in a network namespace. It must become the program and keep its channel. */
  prefix?: string[]
  pace?: number
  /** Below 1, waits that are drawn at random are short ones: of a reconnect's 0 to 30 s, 0.1 leaves 0 to 3. */
  luck?: number
  /** Timers below are left as they are: patience with what is busy, not what a test is about. */
  patienceMs?: number
  /** `label:nth`, where it is to be killed. */
  point?: string | undefined
  readyLine?: string
  /** It ends in its own order when this process is gone. */
  isOrderly?: boolean
}

export function startProgram(file: string, args: string[], options: ProgramOptions = {}): Program {
  const { env = {}, prefix = [], pace = PACE, luck = 1, patienceMs = 0, point, readyLine, isOrderly = false } = options
  const [command, ...rest] = [...prefix, process.execPath, file, ...args] as [string, ...string[]]
  const child = spawn(command, rest, {
    cwd: root,
    env: {
      ...process.env,
      NODE_OPTIONS: `--no-warnings --import ${preload}`,
      FAULT_PACE: String(pace),
      FAULT_SINCE: String(since),
      FAULT_LUCK: String(luck),
      FAULT_PATIENCE_MS: String(patienceMs),
      NODE_COMPILE_CACHE: join(tmpdir(), 'relay-faults-cache'),
      ...(point !== undefined && { FAULT_POINT: point }),
      ...(isOrderly && { FAULT_OUTLIVES: '1' }),
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const said: string[] = []
  // Not `close`: it never comes for a child whose channel this side has let go of.
  const ended = Promise.all([once(child, 'exit'), once(child.stderr as Readable, 'close')]).then(
    ([[code, signal]]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }),
  )
  const ready = new Promise<unknown>((resolve, reject) => {
    if (readyLine === undefined) child.once('message', resolve)
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      if (readyLine !== undefined && line.includes(readyLine)) resolve(undefined)
      said.push(line)
      if (said.length > SAID_LINES) said.shift()
    })
    ended.then(({ code, signal }) =>
      reject(new Error(`${file} ended (${signal ?? code}) before it was ready:\n${said.join('\n')}`)),
    )
  })
  // Whoever kills it on its way up need not wait for it.
  ready.catch(() => undefined)
  const ask = asking(child)
  const isAlive = () => child.exitCode === null && child.signalCode === null
  return {
    pid: child.pid as number,
    ready,
    ended,
    isAlive,
    signal: (signal) => void child.kill(signal),
    end: () => child.disconnect(),
    go: () => void child.send('go'),
    ask,
    memory: async () => (await ask('memory', {})) as Memory,
    lastWords: () => said.join('\n'),
    async kill() {
      if (isAlive()) child.kill('SIGKILL')
      await ended
    },
  }
}

function asking(child: ChildProcess): Program['ask'] {
  type Waiting = { resolve(value: unknown): void; reject(error: Error): void }
  const waiting = new Map<number, Waiting>()
  let nextId = 1
  child.on('message', (answer: { id?: number; value?: unknown; error?: string }) => {
    const asked = waiting.get(answer.id ?? 0)
    waiting.delete(answer.id ?? 0)
    if (answer.error !== undefined) asked?.reject(new Error(answer.error))
    else asked?.resolve(answer.value)
  })
  return (ask, input) =>
    new Promise((resolve, reject) => {
      const id = nextId++
      waiting.set(id, { resolve, reject })
      child.send({ id, ask, input }, (error) => error && reject(error))
    })
}

/** The value, or an error that says what did not happen in time. */
export async function within<T>(ms: number, awaited: Promise<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what()}`)), ms)
  })
  return Promise.race([awaited, late]).finally(() => clearTimeout(timer))
}
