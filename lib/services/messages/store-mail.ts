import type { Envelope, Returned } from '@agent-relay/protocol'
import type { Db, Tx } from '../context.ts'
import { plainText } from '../plain-text.ts'
import { nextRowId } from './row-id.ts'

/** What may wait for one machine; beyond it the sender is told MAILBOX_FULL and keeps its own copy. */
export const MAILBOX_MAX_MESSAGES = 5_000
const MAILBOX_MAX_BYTES = 64 * 1024 * 1024
/** Acknowledgements and receipts on their way back wait as long as a direct message does. */
const returnLifetimeMs = 7 * 86_400_000

type Row = {
  id: string
  machine: string
  sender: string
  kind: 'envelope' | 'return'
  message: string | null
  stream: string | null
  epoch: string | null
  seq: number | null
  payload: string
  size: number
  expires: string
}

/**
 * Commits envelopes to the mailboxes of their machines, each once however often it comes. Returns the ids that are stored
 * now; the others found their mailbox full. The caller has checked that the machines belong to the organization.
 */
export async function storeEnvelopes(db: Db | Tx, orgId: string, envelopes: Envelope[]): Promise<Set<string>> {
  const now = Date.now()
  const rows = envelopes.map((envelope): Row => {
    const payload = JSON.stringify(envelope)
    return {
      id: nextRowId(),
      machine: envelope.to.machine,
      sender: envelope.from.machine,
      kind: 'envelope',
      message: envelope.id,
      stream: plainText(envelope.stream),
      epoch: plainText(envelope.outboxEpoch),
      seq: envelope.seq,
      payload,
      size: Buffer.byteLength(payload),
      expires: new Date(now + envelope.ttlMs).toISOString(),
    }
  })
  const stored = await insert(db, orgId, rows)
  const ids = new Set(stored.map(({ message }) => message as string))
  if (ids.size === envelopes.length) return ids
  // A repeat of one that waits already is stored too.
  const rest = envelopes.filter(({ id }) => !ids.has(id))
  const waiting = await db.mailboxMessage.findMany({
    where: { orgId, OR: rest.map(({ id, to }) => ({ messageId: id, machineId: to.machine })) },
    select: { messageId: true },
  })
  for (const { messageId } of waiting) if (messageId) ids.add(messageId)
  return ids
}

/** Commits a return frame for a machine that is away. False when its mailbox is full. */
export async function storeReturn(db: Db, orgId: string, machineId: string, returned: Returned): Promise<boolean> {
  const payload = JSON.stringify(returned)
  const row: Row = {
    id: nextRowId(),
    machine: machineId,
    sender: returned.from,
    kind: 'return',
    message: null,
    stream: null,
    epoch: null,
    seq: null,
    payload,
    size: Buffer.byteLength(payload),
    expires: new Date(Date.now() + returnLifetimeMs).toISOString(),
  }
  return (await insert(db, orgId, [row])).length === 1
}

/**
 * One statement: what fits under each machine's cap goes in, in the order given; what is there already is passed over.
 * The payload is kept as JSON text within a jsonb string, because jsonb refuses NUL and lone surrogates, which bodies may hold.
 * Batches that are in flight at the same time may overshoot the cap by their own size.
 */
async function insert(db: Db | Tx, orgId: string, rows: Row[]): Promise<{ message: string | null }[]> {
  return db.$queryRaw`
    WITH item AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r(
        id uuid, machine uuid, sender uuid, kind text, message uuid, stream text, epoch text, seq int,
        payload jsonb, size int, expires timestamptz)
    ), used AS (
      SELECT "machineId" AS machine, kind, count(*) AS messages, sum("sizeBytes") AS bytes FROM "MailboxMessage"
      WHERE "machineId" IN (SELECT DISTINCT machine FROM item) GROUP BY "machineId", kind
    ), ranked AS (
      SELECT item.*, row_number() OVER w AS nth, sum(size) OVER w AS upto FROM item
      WHERE NOT EXISTS (SELECT 1 FROM "MailboxMessage" m WHERE m."machineId" = item.machine AND m."messageId" = item.message)
      WINDOW w AS (PARTITION BY machine ORDER BY id)
    )
    INSERT INTO "MailboxMessage"
      (id, "orgId", "machineId", "fromMachine", kind, "messageId", stream, "outboxEpoch", seq, payload, "sizeBytes", "storedAt", "expiresAt")
    SELECT ranked.id, ${orgId}::uuid, ranked.machine, sender, ranked.kind, message, stream, epoch, seq, payload, size, now(), expires
    FROM ranked LEFT JOIN used ON used.machine = ranked.machine AND used.kind = ranked.kind
    WHERE COALESCE(used.messages, 0) + nth <= ${MAILBOX_MAX_MESSAGES} AND COALESCE(used.bytes, 0) + upto <= ${MAILBOX_MAX_BYTES}
    ON CONFLICT DO NOTHING
    RETURNING "messageId"::text AS message`
}
