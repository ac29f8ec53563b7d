/**
 * Searching the history without keeping any message waiting: the daemon's side of the search's thread. Taking in a message costs
 * 30 µs, now and then 90 ms at once, and a question up to 65 ms among 300,000 messages: not where a send is answered in 0.6 ms.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Wanted } from './search-index.ts'
import type { Hit, SearchAnswer, SearchFiles, SearchRequest } from './search-worker.ts'

/** New messages are taken into the index when none came for so long, */
const QUIET_MS = 500
/** or, when they never stop coming, a few so often: the rest comes with the first quiet moment or the first search. */
const BUSY_MS = 5_000
const BUSY_ROWS = 2_000
/** The thread ends when nobody needed it for so long. */
const IDLE_MS = 10_000

export type Search = {
  /** Newest first, of everything committed before. Rejects when the history itself cannot be read. */
  find(wanted: Wanted): Promise<Hit[]>
  /** Something was committed. */
  grown(): void
  /** Old messages up to this place were deleted. */
  purged(upTo: number): void
  stop(): Promise<void>
}

type Waiting = { resolve: (hits: Hit[]) => void; reject: (error: unknown) => void }
/** Without its number. */
type Question = Pick<Extract<SearchRequest, { type: 'find' }>, 'type' | 'wanted'> | CatchUp
type CatchUp = Pick<Extract<SearchRequest, { type: 'catchUp' }>, 'type' | 'maxRows' | 'sweepTo'>

/** `warn` hears what kept a search from its index. Nothing runs until it is needed. */
export function createSearch(files: SearchFiles, warn: (text: string) => void): Search {
  let worker: Worker | undefined
  let isStopped = false
  let nextId = 1
  const waiting = new Map<number, Waiting>()
  let timer: NodeJS.Timeout | undefined
  let idleTimer: NodeJS.Timeout | undefined
  let grownAt = 0
  let behindSince = 0
  let sweepTo = 0

  function start(): Worker {
    const started = new Worker(workerFile(), { workerData: files })
    started.unref()
    started.on('message', (answer: SearchAnswer) => {
      const asked = waiting.get(answer.id)
      waiting.delete(answer.id)
      if ('error' in answer) asked?.reject(Object.assign(answer.error, { errcode: answer.errcode }))
      else {
        if (answer.trouble !== undefined) warn(`a search went without its index: ${answer.trouble}`)
        asked?.resolve(answer.hits)
      }
      rest()
    })
    started.on('error', (error) => lost(started, error))
    started.on('exit', () => lost(started, new Error('the search thread ended')))
    return started
  }

  function lost(which: Worker, error: unknown): void {
    if (worker !== which) return
    worker = undefined
    for (const asked of waiting.values()) asked.reject(error)
    waiting.clear()
  }

  function ask(question: Question): Promise<Hit[]> {
    return new Promise((resolve, reject) => {
      worker ??= start()
      const id = nextId++
      waiting.set(id, { resolve, reject })
      worker.postMessage({ id, ...question } satisfies SearchRequest)
    })
  }

  /** Ends the thread after a while without questions. */
  function rest(): void {
    clearTimeout(idleTimer)
    idleTimer = setTimeout(() => {
      if (waiting.size > 0) return
      const ended = worker
      worker = undefined
      void ended?.terminate()
    }, IDLE_MS).unref()
  }

  function look(): void {
    const now = performance.now()
    timer = undefined
    const isQuiet = now - grownAt >= QUIET_MS
    if (!isQuiet && now - behindSince < BUSY_MS) {
      arm()
      return
    }
    ask({ type: 'catchUp', maxRows: isQuiet ? Number.MAX_SAFE_INTEGER : BUSY_ROWS, sweepTo }).catch((error: unknown) =>
      warn(`the search index lags: ${error instanceof Error ? error.message : error}`),
    )
    sweepTo = 0
    behindSince = now
    if (!isQuiet) arm()
  }

  const arm = (): void => {
    timer ??= setTimeout(look, QUIET_MS).unref()
  }

  return {
    find: (wanted) => ask({ type: 'find', wanted }),
    grown() {
      grownAt = performance.now()
      if (timer !== undefined || isStopped) return
      behindSince = grownAt
      arm()
    },
    purged(upTo) {
      sweepTo = Math.max(sweepTo, upTo)
      this.grown()
    },
    async stop() {
      isStopped = true
      clearTimeout(timer)
      clearTimeout(idleTimer)
      await worker?.terminate()
    },
  }
}

/** Beside this bundle, or its source when the daemon runs from source. */
function workerFile(): string {
  const built = fileURLToPath(new URL('./search-worker.js', import.meta.url))
  return existsSync(built) ? built : fileURLToPath(new URL('./search-worker.ts', import.meta.url))
}
