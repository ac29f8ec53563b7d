import type { Hop } from '@agent-relay/protocol'
import { publish } from '#lib/realtime/bus.ts'
import type { Db } from '../context.ts'
import { type OwnTrace, saveTraces } from '../messages/save-traces.ts'

/**
 * Writes what the control plane knows of people's messages where machines report theirs, so that the message list has both.
 * The control plane's own machine is the organization's id.
 */
export async function traceDeliveries(db: Db, ids: string[]): Promise<void> {
  const deliveries = await db.personDelivery.findMany({
    where: { id: { in: ids } },
    include: {
      machine: { select: { name: true } },
      message: { include: { channel: { select: { name: true } } } },
    },
  })
  const traces = deliveries.map(({ id, orgId, machineId, agentName, state, reason, acceptedAt, ...rest }): OwnTrace => {
    const { message, machine } = rest
    const tookMs = acceptedAt && Math.max(0, acceptedAt.getTime() - message.storedAt.getTime())
    const hops: Hop[] = [{ kind: 'stored', where: 'relay', atMs: 0, path: 'mailbox' }]
    if (tookMs !== null) hops.push({ kind: 'accepted', where: machine.name, atMs: tookMs })
    return {
      orgId,
      machineId: orgId,
      report: {
        id,
        from: `@${message.fromName}`,
        to: agentName,
        toMachine: machineId,
        ...(message.channel && { via: `#${message.channel.name}` }),
        ...(message.thread !== null && { thread: message.thread }),
        sizeBytes: message.sizeBytes,
        ts: message.sentAt.getTime(),
        state,
        ...(reason !== null && { reason }),
        path: state === 'failed' ? null : 'mailbox',
        tookMs,
        hops,
      },
    }
  })
  await saveTraces(db, traces)
  for (const orgId of new Set(traces.map((trace) => trace.orgId))) publish('hint', { orgId, kinds: ['messages'] })
}
