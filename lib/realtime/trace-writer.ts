/** Gathers trace reports of all machines and writes them in batches, one at a time, so that traces never crowd out messages. */
import { DomainError } from '#lib/errors.ts'
import type { Db } from '#lib/services/context.ts'
import { type OwnTrace, saveTraces } from '#lib/services/messages/save-traces.ts'
import { publish } from './bus.ts'

const gatherMs = 100
const batchSize = 1_000
/** Beyond this the senders are told to keep their reports for later. */
const maxQueued = 20_000

type Waiting = { traces: OwnTrace[]; resolve: () => void; reject: (error: unknown) => void }

export type TraceWriter = {
  /** Resolves when the reports are committed. @throws DomainError RATE_LIMITED when too many wait */
  write(traces: OwnTrace[]): Promise<void>
  /** Writes what waits and stops. */
  close(): Promise<void>
}

export function createTraceWriter(db: Db): TraceWriter {
  let queue: Waiting[] = []
  let queued = 0
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  async function flush(): Promise<void> {
    while (queue.length > 0) {
      const batch: Waiting[] = []
      let size = 0
      while (queue.length > 0 && (batch.length === 0 || size + (queue[0] as Waiting).traces.length <= batchSize)) {
        const one = queue.shift() as Waiting
        batch.push(one)
        size += one.traces.length
      }
      queued -= size
      const traces = batch.flatMap((one) => one.traces)
      try {
        await saveTraces(db, traces)
        for (const orgId of new Set(traces.map((trace) => trace.orgId))) publish('hint', { orgId, kinds: ['messages'] })
        for (const one of batch) one.resolve()
      } catch (error) {
        for (const one of batch) one.reject(error)
      }
    }
  }

  function start(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    running ??= flush().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    write(traces) {
      if (queued + traces.length > maxQueued)
        throw new DomainError(
          'RATE_LIMITED',
          `${queued} trace reports wait to be written. Send these again in a while.`,
        )
      return new Promise((resolve, reject) => {
        queue.push({ traces, resolve, reject })
        queued += traces.length
        timer ??= setTimeout(start, gatherMs)
      })
    },
    async close() {
      await start()
      queue = []
    },
  }
}
