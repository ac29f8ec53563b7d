/** The control plane as a sender hears back: how far people's messages came, and what a recipient lacks. */
import {
  type Ack,
  DASHBOARD_AGENT,
  type DeliveryState,
  type Envelope,
  type Gap,
  type Heard,
  type Receipt,
} from '@agent-relay/protocol'
import { withTransaction } from '#lib/db/transaction.ts'
import type { Db, Tx } from '../context.ts'
import { nextRowId } from '../messages/row-id.ts'
import { storeEnvelopes } from '../messages/store-mail.ts'
import { plainText } from '../plain-text.ts'
import { envelopeHead, recipientOf } from './queue-envelopes.ts'
import { reroute } from './reroute.ts'

type Recipient = { orgId: string; machineId: string }

/**
 * The machine has committed these streams so far. The rows of the mailbox are acknowledged elsewhere. Returns the ids whose
 * state changed.
 */
export async function takeAcks(db: Db, { orgId, machineId }: Recipient, acks: Ack[]): Promise<string[]> {
  const ids: string[] = []
  for (const { stream, outboxEpoch, upTo } of acks) {
    if (upTo < 0) continue
    const rows = await db.personDelivery.updateManyAndReturn({
      where: {
        ...{ orgId, machineId, stream: plainText(stream), outboxEpoch: plainText(outboxEpoch) },
        seq: { lte: Math.min(upTo, 0x7fffffff) },
        state: { in: ['queued', 'stored'] },
      },
      data: { state: 'accepted', acceptedAt: new Date() },
      select: { id: true },
    })
    for (const { id } of rows) ids.push(id)
  }
  return ids
}

/** In the order in which a message goes through them; `failed` ends it from any. */
const before: Record<Receipt['state'], DeliveryState[]> = {
  injected: ['queued', 'stored', 'accepted'],
  seen: ['queued', 'stored', 'accepted', 'injected'],
  failed: ['queued', 'stored', 'accepted', 'injected', 'seen'],
}

/**
 * What became of people's messages at this machine; a state only goes up. Whatever is said of a message, known here or not
 * any more, is answered as heard. Returns the answers, the ids whose state changed, and the machines to which messages went
 * whose agent has moved there.
 */
export async function takeReceipts(
  db: Db,
  { orgId, machineId }: Recipient,
  receipts: Receipt[],
): Promise<{ heard: Heard[]; changed: string[]; movedTo: string[] }> {
  const heard = receipts.map(({ id, state }) => ({ id, state, to: machineId }))
  if (receipts.length === 0) return { heard, changed: [], movedTo: [] }
  return withTransaction(db, async (tx) => {
    const changed: string[] = []
    const movedTo: string[] = []
    // In one order, so that two frames about the same messages do not wait for each other in a ring.
    for (const { id, state, reason, note } of [...receipts].sort((a, b) => a.id.localeCompare(b.id))) {
      const where = { id, orgId, machineId, state: { in: before[state] } }
      const moved = reason === 'NOT_FOUND' && state === 'failed' ? await reroute(tx, where) : undefined
      if (moved !== undefined) movedTo.push(moved)
      const why = state === 'failed' ? { reason: plainText(note ?? reason ?? 'its machine refused it') } : {}
      const count = moved ? 1 : (await tx.personDelivery.updateMany({ where, data: { state, ...why } })).count
      if (count > 0) changed.push(id)
    }
    return { heard, changed, movedTo }
  })
}

/** As many places as a recipient's window holds; it asks again for the rest. */
const maxFilled = 256

/**
 * Puts what the recipient lacks into its mailbox again, from `next` on: messages that still count as they were, and an empty
 * envelope for each that has failed or was removed, so that the stream goes on.
 */
export async function fillGaps(db: Db, recipient: Recipient, gaps: Gap[]): Promise<void> {
  for (const gap of gaps) await withTransaction(db, (tx) => fillGap(tx, recipient, gap))
}

async function fillGap(tx: Tx, { orgId, machineId }: Recipient, gap: Gap): Promise<void> {
  const [stream, outboxEpoch] = [plainText(gap.stream), plainText(gap.outboxEpoch)]
  const own = await tx.personStream.findFirst({
    where: { machineId, outboxEpoch },
    select: { nextSeq: true, userId: true, agentKey: true },
  })
  if (!own || gap.next >= own.nextSeq) return
  const range = { gte: gap.next, lt: Math.min(own.nextSeq, gap.next + maxFilled) }
  const deliveries = await tx.personDelivery.findMany({
    where: { orgId, machineId, stream, outboxEpoch, seq: range },
    include: { message: { include: { channel: { select: { name: true } } } } },
  })
  const waiting = await tx.mailboxMessage.findMany({
    where: { orgId, machineId, stream, outboxEpoch, seq: range },
    select: { seq: true },
  })
  const isThere = new Set(waiting.map(({ seq }) => seq))
  const bySeq = new Map(deliveries.map((delivery) => [delivery.seq, delivery]))
  const now = Date.now()
  const missing: Envelope[] = []
  for (let seq = range.gte; seq < range.lt; seq++) {
    if (isThere.has(seq)) continue
    const delivery = bySeq.get(seq)
    const ttlMs = delivery ? delivery.expiresAt.getTime() - now : 0
    const place = { stream, outboxEpoch, seq }
    if (delivery && delivery.state !== 'failed' && ttlMs > 0) {
      const { message, agentName } = delivery
      const to = recipientOf({ machineId, name: agentName, project: null }, message.channel?.name)
      missing.push({ ...envelopeHead(message), id: delivery.id, to, ...place, ttlMs })
    } else missing.push({ ...emptyEnvelope(orgId, { machineId, agentKey: own.agentKey }), ...place })
  }
  if (missing.length > 0) await storeEnvelopes(tx, orgId, missing)
}

/** An hour: the recipient asked a moment ago, and asks again. */
const voidTtlMs = 3_600_000

function emptyEnvelope(
  orgId: string,
  to: { machineId: string; agentKey: string },
): Omit<Envelope, 'stream' | 'outboxEpoch' | 'seq'> {
  return {
    v: 1,
    id: nextRowId(),
    org: orgId,
    from: { machine: orgId, agent: DASHBOARD_AGENT, epoch: 1 },
    to: { machine: to.machineId, agent: to.agentKey },
    ttlMs: voidTtlMs,
    priority: 1,
    ts: Date.now(),
    trace: 'void',
    body: '',
    isVoid: true,
  }
}
