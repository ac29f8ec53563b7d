/** What the dashboard gets to know of messages: headers and hops, in batches, bounded. Never a body. */
import type { TraceReport } from '@agent-relay/protocol'
import { RELAY_SENDER } from '../core/failure.ts'
import { LOCAL_MACHINE } from '../core/state.ts'
import type { Log } from '../log.ts'
import type { StoredMessage } from '../store/reader.ts'
import type { Store } from '../store/store.ts'
import type { Engine } from './engine.ts'
import { pathOf, traceView } from './views.ts'

/** Live enough for eyes, rare enough for a laptop. */
const BATCH_MS = 250
/** More messages than this in a batch are sampled: a page shows no 800 messages a second anyway. */
const BATCH_MESSAGES = 200

export type Traces = {
  /** A message sent from here came further. */
  note(id: string): void
  /** Undefined for what is no message of an agent here to another machine's or this one's. */
  reportOf(row: StoredMessage): TraceReport | undefined
  stop(): void
}

/** `report` takes a batch; what it does not take is not tried again, the page's next state says it all anyway. */
export function createTraces(engine: Engine, store: Store, log: Log, report: (reports: TraceReport[]) => void): Traces {
  let noted = new Set<string>()
  let skipped = 0
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    timer = undefined
    const ids = noted
    noted = new Set()
    if (skipped > 0) log.info(`${skipped} messages were left out of the dashboard's traces: too many in ${BATCH_MS} ms`)
    skipped = 0
    engine.afterCommit(() => {
      const reports = [...ids].flatMap((id) => reportOf(store.read.byId(id)) ?? [])
      if (reports.length > 0) report(reports)
    })
  }

  function reportOf(row: StoredMessage | undefined): TraceReport | undefined {
    if (row === undefined || row.way === 'in' || row.toMachine === LOCAL_MACHINE) return undefined
    // A notice of this daemon itself is nobody's message, and its sender is no name: one such report spoils its whole batch.
    if (row.fromAgent === RELAY_SENDER) return undefined
    const view = traceView(engine.state(), row)
    return {
      id: row.id,
      from: row.fromAgent,
      to: row.toAgent,
      toMachine: row.toMachine,
      ...(row.via !== null && { via: row.via }),
      ...(row.thread !== null && { thread: row.thread }),
      sizeBytes: row.sizeBytes,
      ts: row.ts,
      state: row.state,
      ...(view.reason !== null && { reason: view.reason.slice(0, 200) }),
      path: pathOf(row.path),
      tookMs: view.tookMs,
      hops: view.hops,
    }
  }

  return {
    note(id) {
      if (noted.size >= BATCH_MESSAGES && !noted.has(id)) {
        skipped++
        return
      }
      noted.add(id)
      timer ??= setTimeout(flush, BATCH_MS)
    },
    reportOf,
    stop: () => clearTimeout(timer),
  }
}
