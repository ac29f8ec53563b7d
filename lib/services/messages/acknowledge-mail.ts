import type { Ack } from '@agent-relay/protocol'
import { isId } from '#lib/access/authorize.ts'
import type { Db } from '../context.ts'
import { plainText } from '../plain-text.ts'

/**
 * The machine has committed these streams up to and including `upTo`: what waited for it until there is deleted. Returns
 * the ids of the deleted rows.
 */
export async function acknowledgeMail(db: Db, machineId: string, acks: Ack[]): Promise<string[]> {
  const rows = acks
    .filter(({ to, upTo }) => isId(to) && upTo >= 0)
    .map(({ to, stream, outboxEpoch, upTo }) => ({
      sender: to,
      stream: plainText(stream),
      epoch: plainText(outboxEpoch),
      upto: upTo,
    }))
  if (rows.length === 0) return []
  const gone = await db.$queryRaw<{ id: string }[]>`
    DELETE FROM "MailboxMessage" m
    USING jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS ack(sender uuid, stream text, epoch text, upto int8)
    WHERE m."machineId" = ${machineId}::uuid AND m.stream = ack.stream AND m.seq <= ack.upto
      AND m."fromMachine" = ack.sender AND m."outboxEpoch" = ack.epoch
    RETURNING m.id::text`
  return gone.map(({ id }) => id)
}

/** Deletes return frames that their machine is known to have; envelopes leave by their acknowledgement only. */
export async function deleteReturns(db: Db, machineId: string, ids: string[]): Promise<void> {
  if (ids.length > 0) await db.mailboxMessage.deleteMany({ where: { machineId, kind: 'return', id: { in: ids } } })
}
