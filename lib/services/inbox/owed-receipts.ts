/** What machines must still hear of their messages to people and channels: kept until they said that they have it. */
import type { Heard, Receipt } from '@agent-relay/protocol'
import type { Db, Tx } from '../context.ts'

export type Owed = { machineId: string; messageId: string; state: 'seen' | 'failed'; reason?: string; note?: string }

/** In the transaction of what the receipts say. */
export async function oweReceipts(tx: Tx, owed: Owed[]): Promise<void> {
  if (owed.length > 0) await tx.owedReceipt.createMany({ data: owed, skipDuplicates: true })
}

/** Receipts in one frame. */
const page = 500
/** A machine of an earlier version never says that it heard; it is told no more than this at once, and after a week no longer. */
const maxTold = 2_000

/** What this machine is owed, oldest first. */
export async function owedTo(db: Db, orgId: string, machineId: string): Promise<Receipt[][]> {
  const rows = await db.owedReceipt.findMany({
    where: { machineId, machine: { orgId } },
    orderBy: [{ createdAt: 'asc' }, { messageId: 'asc' }],
    take: maxTold,
  })
  const receipts = rows.map(({ messageId, state, reason, note }) => ({
    id: messageId,
    state: state as Receipt['state'],
    to: machineId,
    ...(reason !== null && { reason: reason as NonNullable<Receipt['reason']> }),
    ...(note !== null && { note }),
  }))
  return Array.from({ length: Math.ceil(receipts.length / page) }, (_, n) => receipts.slice(n * page, (n + 1) * page))
}

/** The machine has these on its disk. */
export async function receiptsHeard(db: Db, machineId: string, heard: Heard[]): Promise<void> {
  if (heard.length === 0) return
  await db.owedReceipt.deleteMany({
    where: { machineId, OR: heard.map(({ id, state }) => ({ messageId: id, state })) },
  })
}
