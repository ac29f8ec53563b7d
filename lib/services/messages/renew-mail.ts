import type { Envelope } from '@agent-relay/protocol'
import type { Db } from '../context.ts'

/** A sealed message that waits already, as it came again. */
export type Again = {
  machine: string
  sender: string
  message: string | null
  stream: string | null
  seq: number | null
  payload: string
  size: number
  seal: string | null
}

/** The part of an envelope's JSON that names the keys of its seal; null in the clear. */
export const sealMarkOf = ({ sealed }: Envelope): string | null =>
  sealed === undefined ? null : `"by":${JSON.stringify(sealed.by)},"to":${JSON.stringify(sealed.to)}`

/**
 * What waits under another seal than the one in which it comes now waits under the new one from here on: keys that are gone open
 * the old one no more, and a machine that is away has no other copy. `from` and `to`: when the first copies can expire.
 */
export async function renewMail(db: Db, rows: Again[], { from, to }: { from: string; to: string }): Promise<void> {
  // JSON as text has a mark only where an envelope has it: within texts its quotes are escaped.
  await db.$executeRaw`
    WITH item AS MATERIALIZED (
      SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(
        machine uuid, sender uuid, message uuid, stream text, seq int, payload text, size int, seal text)
    ), old AS MATERIALIZED (
      SELECT m."machineId", m.id, m."expiresAt", m."orgId", m.kind, m."sizeBytes" AS before, item.payload, item.size
      FROM item JOIN "MailboxMessage" m ON m."machineId" = item.machine AND m.stream = item.stream AND m.seq = item.seq
        AND m."messageId" = item.message AND m."fromMachine" = item.sender
      WHERE m."expiresAt" BETWEEN ${from}::timestamp AND ${to}::timestamp AND position(item.seal IN m.payload) = 0
      ORDER BY m.id FOR UPDATE OF m
    ), renewed AS (
      UPDATE "MailboxMessage" m SET payload = old.payload, "sizeBytes" = old.size FROM old
      WHERE m."machineId" = old."machineId" AND m.id = old.id AND m."expiresAt" = old."expiresAt"
    )
    INSERT INTO "MailboxUse" AS u ("machineId", day, kind, "orgId", messages, bytes)
    SELECT "machineId", "expiresAt"::date AS day, kind, "orgId", 0, sum(size - before) FROM old
    GROUP BY "machineId", day, kind, "orgId" ORDER BY "machineId", day, kind
    ON CONFLICT ("machineId", day, kind) DO UPDATE SET bytes = u.bytes + EXCLUDED.bytes`
}
