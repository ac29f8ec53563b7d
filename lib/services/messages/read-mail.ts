import { Envelope, MAIL_PAGE, Returned } from '@agent-relay/protocol'
import type { Db } from '../context.ts'

/** A page of a mailbox holds at most MAIL_PAGE items, and (but for a single greater item) this many bytes. */
const pageBytes = 4 * 1024 * 1024

export type Mail = { id: string } & ({ kind: 'envelope'; envelope: Envelope } | { kind: 'return'; returned: Returned })

/**
 * The next items that wait for this machine, in id order, those in `except` passed over. An envelope's `ttlMs` is what
 * remains of it. Empty at the end.
 */
export async function readMail(
  db: Db,
  machineId: string,
  { after, except = [], limit = MAIL_PAGE }: { after?: string | undefined; except?: string[]; limit?: number },
): Promise<Mail[]> {
  const rows = await db.$queryRaw<{ id: string; kind: string; payload: string; remainingMs: number }[]>`
    SELECT id::text, kind, payload, "remainingMs" FROM (
      SELECT id, kind, payload, (extract(epoch FROM "expiresAt" - now()) * 1000)::float8 AS "remainingMs",
        sum("sizeBytes") OVER (ORDER BY id) - "sizeBytes" AS before
      FROM (
        SELECT * FROM "MailboxMessage" WHERE "machineId" = ${machineId}::uuid AND "expiresAt" > now()
          AND id > ${after ?? '00000000-0000-0000-0000-000000000000'}::uuid AND NOT (id = ANY(${except}::uuid[]))
        ORDER BY id LIMIT ${limit}
      ) page
    ) sized WHERE before < ${pageBytes} ORDER BY id`
  return rows.map(({ id, kind, payload, remainingMs }): Mail => {
    const value: unknown = JSON.parse(payload)
    if (kind === 'return') return { id, kind, returned: Returned.parse(value) }
    const envelope = Envelope.parse(value)
    return { id, kind: 'envelope', envelope: { ...envelope, ttlMs: Math.max(1, Math.floor(remainingMs)) } }
  })
}
