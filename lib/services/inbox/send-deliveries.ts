import { DASHBOARD_AGENT, type Envelope } from '@agent-relay/protocol'
import type { Prisma } from '#lib/db/generated/client.ts'
import type { Db } from '../context.ts'
import { storeMail } from '../messages/store-mail.ts'
import { sealEnvelopes } from './cloud-box.ts'
import { traceDeliveries } from './trace-deliveries.ts'

const withMessage = {
  message: { include: { channel: { select: { name: true } } } },
} as const satisfies Prisma.PersonDeliveryInclude
type Delivery = Prisma.PersonDeliveryGetPayload<{ include: typeof withMessage }>

/**
 * Puts deliveries that still count into the mailboxes of their machines, each once however often it is asked for. What a full
 * mailbox does not take stays queued and is tried again.
 */
export async function sendDeliveries(db: Db, ids: string[]): Promise<void> {
  const deliveries = await db.personDelivery.findMany({
    where: { id: { in: ids }, state: { in: ['queued', 'stored'] }, expiresAt: { gt: new Date() } },
    include: withMessage,
    orderBy: [{ stream: 'asc' }, { seq: 'asc' }],
  })
  const byOrg = Map.groupBy(deliveries, ({ orgId }) => orgId)
  for (const [orgId, own] of byOrg) {
    const stored = await putMail(db, orgId, own.map(envelopeOf))
    const changed = await db.personDelivery.updateManyAndReturn({
      where: { id: { in: [...stored] }, state: 'queued' },
      data: { state: 'stored' },
      select: { id: true },
    })
    await traceDeliveries(
      db,
      changed.map(({ id }) => id),
    )
  }
}

/** The one way into the mailboxes for what the control plane itself sends, sealed. Returns the ids that are there now. */
export async function putMail(db: Db, orgId: string, envelopes: Envelope[]): Promise<Set<string>> {
  if (envelopes.length === 0) return new Set()
  const sealed = await sealEnvelopes(db, orgId, envelopes)
  const stored = await storeMail(
    db,
    sealed.map((envelope) => ({ orgId, machineId: envelope.to.machine, envelope })),
  )
  return new Set(envelopes.flatMap(({ id }, n) => (stored[n] ? id : [])))
}

function envelopeOf({ id, message, machineId, agentName, stream, outboxEpoch, seq, expiresAt }: Delivery): Envelope {
  const { orgId, channel, thread, replyTo } = message
  return {
    v: 1,
    id,
    org: orgId,
    from: { machine: orgId, agent: DASHBOARD_AGENT, epoch: 1, user: message.fromName },
    to: {
      machine: machineId,
      agent: agentName,
      ...(channel && { via: `#${channel.name}`, channel: channel.name }),
    },
    ...(thread !== null && { thread }),
    ...(replyTo !== null && { replyTo }),
    ...{ stream, outboxEpoch, seq },
    ttlMs: Math.max(1, expiresAt.getTime() - Date.now()),
    priority: 1,
    ts: message.sentAt.getTime(),
    trace: message.id,
    body: message.body,
  }
}
