import type { Db } from '../context.ts'
import { type OwnTrace, saveTraces } from '../messages/save-traces.ts'

/**
 * Writes what the control plane knows of people's messages where machines report theirs, so that the message list has both.
 * The control plane's own machine is the organization's id.
 */
export async function traceDeliveries(db: Db, ids: string[]): Promise<void> {
  const deliveries = await db.personDelivery.findMany({
    where: { id: { in: ids } },
    include: { message: { include: { channel: { select: { name: true } } } } },
  })
  await saveTraces(
    db,
    deliveries.map(
      ({ id, orgId, machineId, agentName, state, reason, message }): OwnTrace => ({
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
          tookMs: null,
          hops: [{ kind: 'stored', where: 'relay', atMs: 0, path: 'mailbox' }],
        },
      }),
    ),
  )
}
