/** The core's state from committed rows: at every start, and after a commit that failed. */
import type { DatabaseSync } from 'node:sqlite'
import { type ErrorCode, nameKey, Roster } from '@agent-relay/protocol'
import { readFreshness } from '../core/freshness.ts'
import { inStreamKey, newInStream } from '../core/inbox.ts'
import { RECEIPTS, WINDOW_MESSAGES } from '../core/limits.ts'
import { append, streamTo } from '../core/outbox.ts'
import { recall } from '../core/receipts.ts'
import { indexRoster } from '../core/roster.ts'
import { type Entropy, emptyState, newAgent, type OutEntry, type ReceiptState, type State } from '../core/state.ts'
import type { AgentRow, LinkIdentity } from '../core/turn.ts'
import { STATES, stateCode, wayCode } from './codes.ts'

type Facts = { entropy: Entropy; outboxEpoch: string; hostName: string; userName: string }

/** Reads everything that is not finished; history stays on disk. */
export function recover(db: DatabaseSync, facts: Facts): State {
  const state = emptyState(facts)
  const meta = new Map(
    (db.prepare('SELECT key, value FROM meta').all() as { key: string; value: string }[]).map((r) => [r.key, r.value]),
  )
  const identity = meta.get('identity')
  if (identity !== undefined) state.identity = JSON.parse(identity) as LinkIdentity
  const roster = Roster.safeParse(JSON.parse(meta.get('roster') ?? 'null'))
  if (roster.success) state.roster = indexRoster(roster.data)
  state.freshness = readFreshness(meta.get('freshness'))
  const last = db.prepare('SELECT max(n) AS n FROM message').get() as { n: number | null }
  state.nextN = (last.n ?? 0) + 1
  for (const row of db.prepare('SELECT * FROM agent').all()) recoverAgent(state, row as Record<string, unknown>)
  recoverOpen(state, db)
  recoverStreams(state, db)
  recoverDebts(state, db)
  state.toPump.clear()
  state.grown.clear()
  return state
}

function recoverAgent(state: State, row: Record<string, unknown>): void {
  const agent: AgentRow = {
    name: row.name as string,
    project: row.project as string | null,
    repository: row.repository as string | null,
    model: row.model as string | null,
    client: row.client as string | null,
    capabilities: JSON.parse(row.capabilities as string) as string[],
    tokenHash: row.token_hash as string,
    isPerson: row.is_person === 1,
    epoch: row.epoch as number | null,
    claim: row.claim as AgentRow['claim'],
    lastSeenAt: row.last_seen_at as number | null,
    pushedTo: row.pushed_to as number,
  }
  state.agents.set(row.key as string, newAgent(agent, row.key as string))
}

type OpenRow = {
  n: number
  way: number
  state: number
  id: string
  from_agent: string
  from_machine: string
  to_key: string
  to_machine: string
  stream: string
  seq: number
  at: number
  expires_at: number
  size: number
  attempts: number | null
}

function recoverOpen(state: State, db: DatabaseSync): void {
  const rows = db
    .prepare(
      `SELECT n, way, state, id, from_agent, from_machine, to_key, to_machine, stream, seq, at, expires_at, size, attempts
       FROM message WHERE is_open = 1 ORDER BY n`,
    )
    .all() as OpenRow[]
  const bySeq = rows.filter((row) => row.way === wayCode.out).sort((a, b) => a.seq - b.seq)
  for (const row of bySeq) recoverOut(state, row)
  for (const row of rows) if (row.way !== wayCode.out) recoverIn(state, row)
}

function recoverOut(state: State, row: OpenRow): void {
  const stream = streamTo(state, nameKey(row.from_agent), row.to_key, row.to_machine, row.stream)
  // A place whose message went to another machine has no row; it is sent empty all the same.
  if (stream.entries.length > 0) fill(stream.entries, row.seq, row)
  const isVoid = row.state === stateCode.failed
  append(state, stream, { ...entryOf(row, row.seq), n: row.n, id: row.id, isVoid })
  if (!isVoid) return
  state.out.delete(row.id)
  state.outCount--
  state.outBytes -= row.size
}

function fill(entries: OutEntry[], until: number, row: OpenRow): void {
  for (let seq = (entries.at(-1)?.seq ?? until) + 1; seq < until; seq++)
    entries.push({ ...entryOf(row, seq), n: 0, id: `void ${row.n} ${seq}`, sizeBytes: 0, isVoid: true })
}

const entryOf = (row: OpenRow, seq: number): OutEntry => ({
  n: row.n,
  id: row.id,
  seq,
  sizeBytes: row.size,
  expiresAt: row.expires_at,
  queuedAt: row.at,
  attempts: row.attempts ?? 0,
  path: null,
  isOnLink: false,
  isStored: row.state === stateCode.stored,
  isVoid: false,
})

function recoverIn(state: State, row: OpenRow): void {
  const agent = state.agents.get(row.to_key)
  if (agent === undefined) return
  const entry = {
    n: row.n,
    id: row.id,
    sizeBytes: row.size,
    fromMachine: row.way === wayCode.in ? row.from_machine : undefined,
    fromKey: row.way === wayCode.local ? nameKey(row.from_agent) : undefined,
    acceptedAt: row.at,
    expiresAt: row.expires_at,
    isPushed: false,
    isRepeat: row.n <= agent.pushedTo,
  }
  agent.waiting.set(entry.id, entry)
  agent.unpushed.push(entry)
  state.wakeAt = Math.min(state.wakeAt, entry.expiresAt)
}

function recoverStreams(state: State, db: DatabaseSync): void {
  const next = db.prepare('SELECT id, machine, next, sent_to FROM out_stream').all() as {
    id: string
    machine: string
    next: number
    sent_to: number
  }[]
  for (const row of next) {
    const separator = row.id.indexOf('>')
    const fromKey = row.id.slice(0, separator)
    const toKey = row.id.slice(separator + 1, row.id.length - row.machine.length - 1)
    const stream = streamTo(state, fromKey, toKey, row.machine, row.id)
    stream.nextSeq = Math.max(stream.nextSeq, row.next)
    stream.sentTo = row.sent_to
    // The count of attempts is written lazily; the mark is not.
    for (const entry of stream.entries) if (entry.seq < row.sent_to) entry.attempts = Math.max(1, entry.attempts)
  }
  const marks = db.prepare('SELECT machine, outbox_epoch, stream, next FROM watermark').all() as {
    machine: string
    outbox_epoch: string
    stream: string
    next: number
  }[]
  const refused = db.prepare(
    `SELECT seq, id, reason FROM message WHERE way = 1 AND state = 5 AND accepted_at IS NULL AND from_machine = ? AND stream = ?
     AND seq >= ? AND n > ? ORDER BY seq`,
  )
  for (const row of marks) {
    const stream = newInStream(row.machine, row.outbox_epoch, row.stream)
    stream.next = row.next
    // The newest rows only: refusals are told again within a window, and a scan of all history would cost the start.
    const floor = state.nextN - 4 * WINDOW_MESSAGES
    stream.refusals = (refused.all(row.machine, row.stream, row.next - WINDOW_MESSAGES, floor) as never[]).map(
      (r: { seq: number; id: string; reason: string }) => ({
        seq: r.seq,
        id: r.id,
        reason: r.reason as 'NOT_FOUND',
        note: 'its machine refused it',
      }),
    )
    state.inStreams.set(inStreamKey(row.machine, row.outbox_epoch, row.stream), stream)
  }
}

/** Receipts that nobody is known to have heard: said again at the first connection. The newest, when they are too many. */
function recoverDebts(state: State, db: DatabaseSync): void {
  const rows = db
    .prepare(
      `SELECT n, id, from_machine, state, reason, note,
         CASE state WHEN 3 THEN injected_at WHEN 4 THEN seen_at END - at AS after_ms
       FROM owed JOIN message USING (n) ORDER BY n DESC LIMIT ?`,
    )
    .all(RECEIPTS) as {
    n: number
    id: string
    from_machine: string
    state: number
    reason: string | null
    note: string | null
    after_ms: number | null
  }[]
  for (const row of rows.reverse())
    recall(state, row.from_machine, {
      n: row.n,
      id: row.id,
      state: STATES[row.state] as ReceiptState,
      ...(row.reason !== null && { reason: row.reason as ErrorCode }),
      ...(row.note !== null && { note: row.note }),
      ...(row.after_ms !== null && { afterMs: Math.max(0, row.after_ms) }),
    })
}
