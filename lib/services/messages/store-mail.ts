import type { Envelope, Returned } from '@agent-relay/protocol'
import { sqlState } from '#lib/db/sql-state.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { Db } from '../context.ts'
import { plainText } from '../plain-text.ts'
import { openMailDays } from './mail-days.ts'
import { freed, goneColumns } from './mailbox-use.ts'
import { renewMail, sealMarkOf } from './renew-mail.ts'
import { nextRowId } from './row-id.ts'

/** What may wait for one machine; beyond it the sender is told MAILBOX_FULL and keeps its own copy. */
export const MAILBOX_MAX_MESSAGES = 5_000
const MAILBOX_MAX_BYTES = 64 * 1024 * 1024
/** Acknowledgements and receipts on their way back wait as long as a direct message does. */
const returnLifetimeMs = 7 * 86_400_000
/** Rows and bytes of one statement: a second one costs little, and one with all of a busy moment would hold up the rest. */
const sliceRows = 1_000
const sliceBytes = 8 * 1024 * 1024
/** A repeat expires when the first copy does, or later by what its sender's clock lost while the lid was closed … */
const repeatLaterMs = 86_400_000
/** … or earlier by what the first copy took longer on its way. */
const repeatEarlierMs = 3_600_000
/** SQLSTATE check_violation; the mailbox has no check but that there is a partition. */
const noPartition = '23514'

/** An item for the mailbox of a machine. The caller has checked that the machine belongs to the organization. */
export type NewMail = { orgId: string; machineId: string } & ({ envelope: Envelope } | { returned: Returned })

type Row = {
  id: string
  org: string
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
  /** To and by which keys it is sealed; null in the clear. */
  seal: string | null
}

/**
 * Commits items to mailboxes in the order given, each message once however often it comes, and tells the bus where the new rows
 * begin. Returns for each whether it is stored now; the others found their mailbox full.
 */
export async function storeMail(db: Db, mail: NewMail[]): Promise<boolean[]> {
  const now = Date.now()
  const byMessage = new Map<string, Row>()
  const rows = mail.map((item) => {
    if (!('envelope' in item)) return rowOfReturn(item, item.returned, now)
    const key = `${item.machineId} ${item.envelope.id}`
    const row = byMessage.get(key) ?? rowOfEnvelope(item, item.envelope, now)
    byMessage.set(key, row)
    return row
  })
  const refused = new Set<string>()
  for (const slice of slices([...new Set(rows)])) {
    try {
      for (const id of await insertOrSweep(db, slice)) refused.add(id)
    } finally {
      // Also when it failed: a connection that broke may have broken after the commit.
      tell(slice.filter(({ id }) => !refused.has(id)))
    }
  }
  return rows.map(({ id }) => !refused.has(id))
}

function tell(rows: Row[]): void {
  const first = new Map<string, string>()
  for (const { machine, id } of rows) if (!first.has(machine)) first.set(machine, id)
  if (first.size > 0) publish('mail', { machines: [...first].map(([machineId, from]) => ({ machineId, from })) })
}

function rowOfEnvelope({ orgId, machineId }: NewMail, envelope: Envelope, now: number): Row {
  const payload = JSON.stringify(envelope)
  return {
    id: nextRowId(),
    org: orgId,
    machine: machineId,
    sender: envelope.from.machine,
    kind: 'envelope',
    message: envelope.id,
    stream: plainText(envelope.stream),
    epoch: plainText(envelope.outboxEpoch),
    seq: envelope.seq,
    payload,
    size: Buffer.byteLength(payload),
    expires: new Date(now + envelope.ttlMs).toISOString(),
    seal: sealMarkOf(envelope),
  }
}

function rowOfReturn({ orgId, machineId }: NewMail, returned: Returned, now: number): Row {
  const payload = JSON.stringify(returned)
  return {
    id: nextRowId(),
    org: orgId,
    machine: machineId,
    sender: returned.from,
    kind: 'return',
    message: null,
    stream: null,
    epoch: null,
    seq: null,
    payload,
    size: Buffer.byteLength(payload),
    expires: new Date(now + returnLifetimeMs).toISOString(),
    seal: null,
  }
}

function* slices(rows: Row[]): Generator<Row[]> {
  let slice: Row[] = []
  let bytes = 0
  for (const row of rows) {
    if (slice.length === sliceRows || (slice.length > 0 && bytes + row.size > sliceBytes)) {
      yield slice
      slice = []
      bytes = 0
    }
    slice.push(row)
    bytes += row.size
  }
  if (slice.length > 0) yield slice
}

/** Inserts; where a mailbox is full of what has expired meanwhile, that makes room first. Returns the ids that found none. */
async function insertOrSweep(db: Db, rows: Row[]): Promise<string[]> {
  const { refused, repeats } = await insertWhereDaysAre(db, rows)
  if (repeats.length > 0) {
    const known = new Set(repeats)
    const again = rows.filter(({ id }) => known.has(id))
    await renewMail(db, again, spanOf(again))
  }
  if (refused.length === 0) return refused
  const over = new Set(refused)
  const rest = rows.filter(({ id }) => over.has(id))
  const swept = await sweep(db, [...new Set(rest.map(({ machine }) => machine))])
  return swept === 0 ? refused : (await insertWhereDaysAre(db, rest)).refused
}

type Inserted = {
  refused: string[]
  /** Sealed, and there already, in the same seal or another. */
  repeats: string[]
}

async function insertWhereDaysAre(db: Db, rows: Row[]): Promise<Inserted> {
  try {
    return await insert(db, rows)
  } catch (error) {
    if (sqlState(error) !== noPartition) throw error
    await openMailDays(
      db,
      rows.map(({ expires }) => Date.parse(expires)),
    )
    return insert(db, rows)
  }
}

/**
 * One statement: what fits under each machine's cap goes in; a message that is there already counts as stored. Its price does not
 * depend on how much waits: the caps are checked against counts, and repeats are looked for by index (OFFSET 0 keeps the planner
 * from hashing the mailbox instead) in the days where they can be. Batches that several processes have in flight at the same time
 * may overshoot the cap by their own size.
 */
async function insert(db: Db, rows: Row[]): Promise<Inserted> {
  const { from, to } = spanOf(rows)
  const found = await db.$queryRaw<{ id: string; what: 'full' | 'repeat' }[]>`
    WITH item AS MATERIALIZED (
      SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(
        id uuid, org uuid, machine uuid, sender uuid, kind text, message uuid, stream text, epoch text, seq int,
        payload text, size int, expires timestamp, seal text)
    ), fresh AS MATERIALIZED (
      SELECT * FROM item WHERE kind = 'return' OR NOT EXISTS (
        SELECT FROM "MailboxMessage" m
        WHERE m."machineId" = item.machine AND m.stream = item.stream AND m.seq = item.seq AND m."messageId" = item.message
          AND m."expiresAt" BETWEEN ${from}::timestamp AND ${to}::timestamp OFFSET 0)
    ), used AS MATERIALIZED (
      SELECT "machineId" AS machine, kind, sum(messages) AS messages, sum(bytes) AS bytes FROM "MailboxUse"
      WHERE "machineId" IN (SELECT DISTINCT machine FROM item) AND day >= (now() AT TIME ZONE 'UTC')::date GROUP BY 1, 2
    ), ranked AS MATERIALIZED (
      SELECT fresh.*, COALESCE(used.messages, 0) + row_number() OVER w <= ${MAILBOX_MAX_MESSAGES}
        AND COALESCE(used.bytes, 0) + sum(size) OVER w <= ${MAILBOX_MAX_BYTES} AS fits
      FROM fresh LEFT JOIN used ON used.machine = fresh.machine AND used.kind = fresh.kind
      WINDOW w AS (PARTITION BY fresh.machine, fresh.kind ORDER BY fresh.id)
    ), stored AS (
      INSERT INTO "MailboxMessage" ("machineId", id, "expiresAt", "orgId", "fromMachine", kind, "messageId", stream, "outboxEpoch",
        seq, payload, "sizeBytes", "storedAt")
      SELECT machine, id, expires, org, sender, kind, message, stream, epoch, seq, payload, size, now() FROM ranked
      WHERE fits ORDER BY id
    ), counted AS (
      INSERT INTO "MailboxUse" AS u ("machineId", day, kind, "orgId", messages, bytes)
      SELECT machine, expires::date AS day, kind, org, count(*), sum(size) FROM ranked WHERE fits
      GROUP BY machine, day, kind, org ORDER BY machine, day, kind
      ON CONFLICT ("machineId", day, kind) DO UPDATE SET messages = u.messages + EXCLUDED.messages, bytes = u.bytes + EXCLUDED.bytes
    )
    SELECT id::text, 'full' AS what FROM ranked WHERE NOT fits
    UNION ALL SELECT id::text, 'repeat' FROM item WHERE seal IS NOT NULL AND id NOT IN (SELECT id FROM fresh)`
  const idsOf = (wanted: string): string[] => found.flatMap(({ id, what }) => (what === wanted ? id : []))
  return { refused: idsOf('full'), repeats: idsOf('repeat') }
}

/** When the first copies of these can expire. */
function spanOf(rows: Row[]): { from: string; to: string } {
  const ends = rows.map(({ expires }) => Date.parse(expires))
  const at = (ms: number): string => new Date(ms).toISOString()
  return { from: at(Math.min(...ends) - repeatLaterMs), to: at(Math.max(...ends) + repeatEarlierMs) }
}

/** Deletes what has expired in these mailboxes before its day is over. */
const sweep = (db: Db, machineIds: string[]): Promise<number> =>
  db.$queryRaw<{ count: number }[]>`
    WITH gone AS (
      DELETE FROM "MailboxMessage" m WHERE "machineId" = ANY(${machineIds}::uuid[]) AND "expiresAt" <= now()
      RETURNING ${goneColumns}
    ), freed AS (${freed}) SELECT count(*)::int AS count FROM gone`.then((rows) => rows[0]?.count ?? 0)
