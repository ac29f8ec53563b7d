import { type Ack, Envelope, isPlainEnvelope, MAIL_PAGE, Returned } from '@agent-relay/protocol'
import type { Db } from '../context.ts'
import { daysOf } from './mailbox-use.ts'

/** A page of a mailbox holds at most MAIL_PAGE items, and (but for a single greater item) this many bytes. */
const pageBytes = 4 * 1024 * 1024
const firstId = '00000000-0000-0000-0000-000000000000'

export type Mail = { id: string } & ({ kind: 'envelope'; envelope: Envelope } | { kind: 'return'; returned: Returned })

/**
 * The next items that wait for this machine after (or from) an id, in id order, those in `except` passed over. An envelope's
 * `ttlMs` is what remains of it. Empty at the end.
 */
export async function readMail(
  db: Db,
  machineId: string,
  page: { after?: string | undefined; from?: string | undefined; except?: string[]; limit?: number },
): Promise<Mail[]> {
  const { after = firstId, from = firstId, except = [], limit = MAIL_PAGE } = page
  const days = await daysOf(db, [machineId])
  if (days === undefined) return []
  const rows = await db.$queryRaw<{ id: string; kind: string; payload: string; remainingMs: number }[]>`
    SELECT id::text, kind, payload, "remainingMs" FROM (
      SELECT id, kind, payload, (extract(epoch FROM "expiresAt" - now()) * 1000)::float8 AS "remainingMs",
        sum("sizeBytes") OVER (ORDER BY id) - "sizeBytes" AS before
      FROM (
        SELECT id, kind, payload, "expiresAt", "sizeBytes" FROM "MailboxMessage" m
        WHERE "machineId" = ${machineId}::uuid AND id > ${after}::uuid AND id >= ${from}::uuid
          AND id <> ALL(${except}::uuid[]) AND "expiresAt" > now() AND ${days}
        ORDER BY id LIMIT ${limit}
      ) page
    ) sized WHERE before < ${pageBytes} ORDER BY id`
  return rows.map(({ id, kind, payload, remainingMs }): Mail => {
    const value: unknown = JSON.parse(payload)
    if (kind === 'return') return { id, kind, returned: Returned.parse(value) }
    const envelope = isPlainEnvelope(value) ? value : Envelope.parse(value)
    return { id, kind: 'envelope', envelope: { ...envelope, ttlMs: Math.max(1, Math.floor(remainingMs)) } }
  })
}

/** How far each stream reaches of which something waits for this machine; `to` is its sender, as in an acknowledgement. */
export async function waitingStreams(db: Db, machineId: string): Promise<Ack[]> {
  const days = await daysOf(db, [machineId])
  if (days === undefined) return []
  return db.$queryRaw<Ack[]>`
    SELECT "fromMachine"::text AS "to", stream, "outboxEpoch", max(seq) AS "upTo" FROM "MailboxMessage" m
    WHERE "machineId" = ${machineId}::uuid AND kind = 'envelope' AND "expiresAt" > now() AND ${days} GROUP BY 1, 2, 3`
}
