/** The control plane as a sender hears back: how far people's messages came. */
import type { Ack, DeliveryState, Heard, Receipt } from '@agent-relay/protocol'
import { withTransaction } from '#lib/db/transaction.ts'
import type { Db } from '../context.ts'
import { plainText } from '../plain-text.ts'
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
 * any more, is answered as heard. Returns the answers, the ids whose state changed, and those that are queued anew because
 * their agents have moved to other machines.
 */
export async function takeReceipts(
  db: Db,
  { orgId, machineId }: Recipient,
  receipts: Receipt[],
): Promise<{ heard: Heard[]; changed: string[]; moved: string[] }> {
  const heard = receipts.map(({ id, state }) => ({ id, state, to: machineId }))
  if (receipts.length === 0) return { heard, changed: [], moved: [] }
  return withTransaction(db, async (tx) => {
    const changed: string[] = []
    const moved: string[] = []
    // In one order, so that two frames about the same messages do not wait for each other in a ring.
    for (const { id, state, reason, note } of [...receipts].sort((a, b) => a.id.localeCompare(b.id))) {
      const where = { id, orgId, machineId, state: { in: before[state] } }
      if (state === 'failed' && reason === 'NOT_FOUND' && (await reroute(tx, where))) {
        moved.push(id)
        continue
      }
      const why = state === 'failed' ? { reason: plainText(note ?? reason ?? 'its machine refused it') } : {}
      const { count } = await tx.personDelivery.updateMany({ where, data: { state, ...why } })
      if (count > 0) changed.push(id)
    }
    return { heard, changed, moved }
  })
}
