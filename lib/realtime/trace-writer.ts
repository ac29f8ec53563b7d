/** Gathers trace reports of all machines and writes them in batches, one at a time, so that traces never crowd out messages. */
import { DomainError } from '#lib/errors.ts'
import { archiveBodies } from '#lib/services/archive/archive-bodies.ts'
import type { Db } from '#lib/services/context.ts'
import { type OwnTrace, saveTraces } from '#lib/services/messages/save-traces.ts'
import { publish } from './bus.ts'
import type { Log } from './log.ts'

const gatherMs = 100
const batchSize = 1_000
/** Beyond this the senders are told to keep their reports for later. */
const maxQueued = 20_000
/** Of bodies for archives, as sealed as they came: what all senders together may have in memory here. */
const maxQueuedChars = 64 * 1024 * 1024
const batchChars = 8 * 1024 * 1024

type Waiting = { traces: OwnTrace[]; chars: number; resolve: () => void; reject: (error: unknown) => void }

export type TraceWriter = {
  /** Resolves when the reports are committed. @throws DomainError RATE_LIMITED when too many wait */
  write(traces: OwnTrace[]): Promise<void>
  /** Writes what waits and stops. */
  close(): Promise<void>
}

export function createTraceWriter({ db, log }: { db: Db; log: Log }): TraceWriter {
  let queue: Waiting[] = []
  let queued = 0
  let queuedChars = 0
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  async function flush(): Promise<void> {
    while (queue.length > 0) {
      const batch: Waiting[] = []
      let size = 0
      let chars = 0
      for (let next = queue[0]; next !== undefined; next = queue[0]) {
        const isRoom = size + next.traces.length <= batchSize && chars + next.chars <= batchChars
        if (batch.length > 0 && !isRoom) break
        queue.shift()
        batch.push(next)
        size += next.traces.length
        chars += next.chars
      }
      queued -= size
      queuedChars -= chars
      const traces = batch.flatMap((one) => one.traces)
      try {
        await saveTraces(db, traces)
        const unopened = await archiveBodies(db, traces)
        if (unopened > 0) log.warn({ count: unopened }, 'bodies for the archive could not be opened, and are not in it')
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
      const chars = traces.reduce((sum, { report }) => sum + (report.sealed?.data.length ?? 0), 0)
      if (queued + traces.length > maxQueued || (chars > 0 && queuedChars + chars > maxQueuedChars))
        throw new DomainError(
          'RATE_LIMITED',
          `${queued} trace reports wait to be written. Send these again in a while.`,
        )
      return new Promise((resolve, reject) => {
        queue.push({ traces, chars, resolve, reject })
        queued += traces.length
        queuedChars += chars
        timer ??= setTimeout(start, gatherMs)
      })
    },
    async close() {
      await start()
      queue = []
    },
  }
}
