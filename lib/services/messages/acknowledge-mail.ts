import type { Ack } from '@agent-relay/protocol'
import { isId } from '#lib/access/authorize.ts'
import type { Db, Tx } from '../context.ts'
import { plainText } from '../plain-text.ts'
import { daysOf, freed, goneColumns } from './mailbox-use.ts'

export type OwnAcks = { machineId: string; acks: Ack[] }

/**
 * Each machine has committed these streams up to and including `upTo`: what waited for it until there is deleted, all in one
 * statement. Returns the ids of the deleted rows by machine.
 */
export async function acknowledgeMail(db: Db, said: OwnAcks[]): Promise<Map<string, string[]>> {
  const rows = furthest(said)
  if (rows.length === 0) return new Map()
  const days = await daysOf(db, [...new Set(rows.map(({ machine }) => machine))])
  if (days === undefined) return new Map()
  // The limit tells the planner how few there are: it would read whole partitions for the hundred that it expects.
  const gone = await db.$queryRaw<{ machine: string; ids: string[] }[]>`
    WITH ack AS MATERIALIZED (
      SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(
        machine uuid, sender uuid, stream text, epoch text, upto int8) LIMIT ${rows.length}
    ), gone AS (
      DELETE FROM "MailboxMessage" m USING ack
      WHERE m."machineId" = ack.machine AND m.stream = ack.stream AND m.seq <= ack.upto
        AND m."fromMachine" = ack.sender AND m."outboxEpoch" = ack.epoch AND ${days}
      RETURNING ${goneColumns}
    ), freed AS (${freed})
    SELECT "machineId"::text AS machine, array_agg(id::text) AS ids FROM gone GROUP BY "machineId"`
  return new Map(gone.map(({ machine, ids }) => [machine, ids]))
}

type Row = { machine: string; sender: string; stream: string; epoch: string; upto: number }

/** One row a stream, with the furthest of what was said of it. */
function furthest(said: OwnAcks[]): Row[] {
  const rows = new Map<string, Row>()
  for (const { machineId: machine, acks } of said)
    for (const { to: sender, stream, outboxEpoch, upTo: upto } of acks) {
      if (!isId(sender) || upto < 0) continue
      const row = { machine, sender, stream: plainText(stream), epoch: plainText(outboxEpoch), upto }
      const key = JSON.stringify([machine, sender, row.epoch, row.stream])
      if (upto >= (rows.get(key)?.upto ?? 0)) rows.set(key, row)
    }
  return [...rows.values()]
}

/** Deletes return frames that their machine is known to have; envelopes leave by their acknowledgement only. */
export async function deleteReturns(db: Db, machineId: string, ids: string[]): Promise<void> {
  const days = ids.length > 0 ? await daysOf(db, [machineId]) : undefined
  if (days === undefined) return
  await db.$executeRaw`
    WITH gone AS (
      DELETE FROM "MailboxMessage" m
      WHERE "machineId" = ${machineId}::uuid AND id = ANY(${ids}::uuid[]) AND kind = 'return' AND ${days}
      RETURNING ${goneColumns}
    ), freed AS (${freed}) SELECT`
}

/** Deletes everything that waits for a machine which will never fetch it. */
export async function deleteMailbox(db: Db | Tx, machineId: string): Promise<void> {
  await db.$executeRaw`
    WITH use AS (DELETE FROM "MailboxUse" WHERE "machineId" = ${machineId}::uuid)
    DELETE FROM "MailboxMessage" WHERE "machineId" = ${machineId}::uuid`
}
