/** Message headers for tests, written by the verb that writes what machines report. */
import { randomUUID } from 'node:crypto'
import type { TraceReport } from '@agent-relay/protocol'
import type { Db } from '#lib/services/context.ts'
import { saveTraces } from '#lib/services/messages/save-traces.ts'
import type { LinkedMachine } from './machines.ts'

type Report = Partial<TraceReport> & { agoMs?: number }

/** Reports of one machine about its own messages; returns their ids in the order given. */
export async function reportTraces(
  db: Db,
  from: LinkedMachine,
  to: LinkedMachine,
  reports: Report[],
): Promise<string[]> {
  const traces = reports.map(({ agoMs = 0, ...report }) => ({
    orgId: from.orgId,
    machineId: from.id,
    report: {
      id: randomUUID(),
      from: 'Alice',
      to: 'Bob',
      toMachine: to.id,
      sizeBytes: 20,
      ts: Date.now() - agoMs,
      state: 'accepted' as const,
      path: 'local' as const,
      tookMs: 1,
      hops: [],
      ...report,
    },
  }))
  for (let start = 0; start < traces.length; start += 1000) await saveTraces(db, traces.slice(start, start + 1000))
  return traces.map(({ report }) => report.id)
}
