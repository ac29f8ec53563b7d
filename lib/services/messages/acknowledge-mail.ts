import type { Ack } from '@agent-relay/protocol'
import { isId } from '#lib/access/authorize.ts'
import type { Db } from '../context.ts'
import { plainText } from '../plain-text.ts'
import { freed, goneColumns } from './mailbox-use.ts'

export type OwnAcks = { machineId: string; acks: Ack[] }

/**
 * Each machine has committed these streams up to and including `upTo`: what waited for it until there is deleted, all in one
 * statement. Returns the ids of the deleted rows by machine.
 */
export async function acknowledgeMail(db: Db, said: OwnAcks[]): Promise<Map<string, string[]>> {
  const rows = said.flatMap(({ machineId, acks }) =>
    acks
      .filter(({ to, upTo }) => isId(to) && upTo >= 0)
      .map(({ to, stream, outboxEpoch, upTo }) => ({
        machine: machineId,
        sender: to,
        stream: plainText(stream),
        epoch: plainText(outboxEpoch),
        upto: upTo,
      })),
  )
  if (rows.length === 0) return new Map()
  const gone = await db.$queryRaw<{ machine: string; ids: string[] }[]>`
    WITH ack AS MATERIALIZED (
      SELECT machine, sender, stream, epoch, max(upto) AS upto
      FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(machine uuid, sender uuid, stream text, epoch text, upto int8)
      GROUP BY machine, sender, stream, epoch
    ), gone AS (
      DELETE FROM "MailboxMessage" m USING ack
      WHERE m."machineId" = ack.machine AND m.stream = ack.stream AND m.seq <= ack.upto
        AND m."fromMachine" = ack.sender AND m."outboxEpoch" = ack.epoch
      RETURNING ${goneColumns}
    ), freed AS (${freed})
    SELECT "machineId"::text AS machine, array_agg(id::text) AS ids FROM gone GROUP BY "machineId"`
  return new Map(gone.map(({ machine, ids }) => [machine, ids]))
}

/** Deletes return frames that their machine is known to have; envelopes leave by their acknowledgement only. */
export async function deleteReturns(db: Db, machineId: string, ids: string[]): Promise<void> {
  if (ids.length === 0) return
  await db.$executeRaw`
    WITH gone AS (
      DELETE FROM "MailboxMessage" m WHERE "machineId" = ${machineId}::uuid AND id = ANY(${ids}::uuid[]) AND kind = 'return'
      RETURNING ${goneColumns}
    ), freed AS (${freed}) SELECT`
}

/** Deletes everything that waits for a machine which will never fetch it. */
export async function deleteMailbox(db: Pick<Db, '$executeRaw'>, machineId: string): Promise<void> {
  await db.$executeRaw`
    WITH use AS (DELETE FROM "MailboxUse" WHERE "machineId" = ${machineId}::uuid)
    DELETE FROM "MailboxMessage" WHERE "machineId" = ${machineId}::uuid`
}
