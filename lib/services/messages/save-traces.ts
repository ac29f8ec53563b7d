import { isLater, type TraceReport } from '@agent-relay/protocol'
import { isId } from '#lib/access/authorize.ts'
import type { Db } from '../context.ts'
import { plainJson } from '../plain-text.ts'

/** Of a machine's own message; or of a person's, whose `from` is `@handle` and whose machine is the control plane's own. */
export type OwnTrace = { orgId: string; machineId: string; report: Omit<TraceReport, 'from'> & { from: string } }

/**
 * Writes what senders' machines report of their own messages, in one statement. A state only goes up, and a report about
 * another machine's message changes nothing.
 */
export async function saveTraces(db: Db, traces: OwnTrace[]): Promise<void> {
  const latest = new Map<string, OwnTrace>()
  for (const trace of traces) {
    const key = `${trace.orgId}/${trace.machineId}/${trace.report.id}`
    const known = latest.get(key)
    if (isId(trace.report.toMachine) && (!known || !isLater(known.report.state, trace.report.state)))
      latest.set(key, trace)
  }
  if (latest.size === 0) return
  const latestTs = Date.now() + 86_400_000
  const rows = [...latest.values()].map(({ orgId, machineId, report }) => ({
    org: orgId,
    machine: machineId,
    id: report.id,
    sender: report.from,
    recipient: report.to,
    tomachine: report.toMachine,
    via: report.via,
    thread: report.thread,
    size: Math.min(report.sizeBytes, 0x7fffffff),
    state: report.state,
    reason: report.reason,
    path: report.path,
    took: report.tookMs,
    hops: report.hops,
    // A clock that runs far ahead would keep its message at the top of every list for ever.
    sent: new Date(Math.min(report.ts, latestTs)).toISOString(),
  }))
  await db.$executeRaw`
    INSERT INTO "MessageTrace" AS known ("orgId", "messageId", "fromMachineId", "fromAgent", "toMachineId", "toAgent", via,
      thread, "sizeBytes", state, reason, path, "tookMs", hops, "sentAt", "updatedAt")
    SELECT DISTINCT ON (org, id) org, id, machine, sender, tomachine, recipient, via, thread, size, state::"DeliveryState", reason,
      path::"DeliveryPath", took, hops, sent, now()
    FROM jsonb_to_recordset(${plainJson(rows)}::jsonb) AS r(
      org uuid, machine uuid, id uuid, sender text, recipient text, tomachine uuid, via text, thread text, size int8,
      state text, reason text, path text, took float8, hops jsonb, sent timestamptz)
    ON CONFLICT ("orgId", "messageId") DO UPDATE SET
      state = EXCLUDED.state, reason = COALESCE(EXCLUDED.reason, known.reason), path = COALESCE(EXCLUDED.path, known.path),
      "tookMs" = COALESCE(EXCLUDED."tookMs", known."tookMs"), hops = EXCLUDED.hops, "updatedAt" = now()
    WHERE known."fromMachineId" = EXCLUDED."fromMachineId" AND EXCLUDED.state >= known.state`
}
