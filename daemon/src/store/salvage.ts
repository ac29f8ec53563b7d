/**
 * What can still be read of a damaged relay.db, carried over into a new one. The new one has another outbox epoch: its streams
 * begin anew, so no message of it is mistaken for an old one. Whatever of the old file is not certain to be unsent is not sent
 * again: it becomes a dead letter, and its sender is told that it may have arrived.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { nameKey } from '@agent-relay/protocol'
import { agentRow } from '../core/agents.ts'
import { freshnessText } from '../core/freshness.ts'
import { rosterOf } from '../core/roster.ts'
import type { InEntry, State } from '../core/state.ts'
import { stateCode, wayCode } from './codes.ts'
import { createWriter } from './writer.ts'

/** Messages to count for a person, and those whose sending agents must be told. */
export type Salvaged = {
  /** Waited in inboxes here, and still do. */
  kept: number
  /** To other machines, certainly never sent: queued anew. */
  requeued: number
  /** To other machines, perhaps sent, or without a readable text: failed. */
  failed: number
  untold: Untold[]
}
export type Untold = { fromKey: string; id: string; to: string; note: string }

type Row = Record<string, SQLInputValue>

/** A damaged page ends a scan: what lies behind it is read from the other end. */
function readable(db: DatabaseSync, table: string, key: string, where = '1'): Row[] {
  const rows: Row[] = []
  const seen = new Set<string>()
  for (const order of ['ASC', 'DESC']) {
    try {
      const query = `SELECT * FROM ${table} NOT INDEXED WHERE ${where} ORDER BY ${key.replaceAll(',', ` ${order},`)} ${order}`
      for (const row of db.prepare(query).iterate() as Iterable<Row>) {
        const name = key
          .split(', ')
          .map((column) => String(row[column]))
          .join('\u0000')
        if (seen.has(name)) return rows
        seen.add(name)
        rows.push(row)
      }
      return rows
    } catch {}
  }
  return rows
}

/**
 * Fills `fresh`, a new file with all tables. `old` is undefined when nothing of it can be opened. `memory` is what the running
 * daemon knows, which is worth more than the file. `isRolledBack`: the file is whole but older than what was sent from it.
 */
export function salvage(
  old: DatabaseSync | undefined,
  fresh: DatabaseSync,
  { memory, isRolledBack, now }: { memory: State | undefined; isRolledBack: boolean; now: number },
): Salvaged {
  const from = (table: string, key: string, where?: string) =>
    old === undefined ? [] : readable(old, table, key, where)
  const found: Salvaged = { kept: 0, requeued: 0, failed: 0, untold: [] }
  fresh.exec('BEGIN IMMEDIATE')
  for (const row of from('meta', 'key', "key IN ('identity', 'roster', 'freshness', 'clock', 'archived')"))
    put(fresh, 'meta', row)
  for (const row of from('agent', 'key')) put(fresh, 'agent', row)
  // Behind the truth when the file is: then a message that is here already may come once more.
  for (const row of from('watermark', 'machine, outbox_epoch, stream')) put(fresh, 'watermark', row)
  const sentTo = new Map(from('out_stream', 'id').map((row) => [row.id, row.sent_to as number]))
  for (const stream of memory?.outStreams.values() ?? []) sentTo.set(stream.id, stream.sentTo)
  const isUnsent = (row: Row): boolean =>
    !isRolledBack &&
    !row.attempts &&
    (row.seq as number) >= (sentTo.get(row.stream as string) ?? Number.POSITIVE_INFINITY)
  const next = new Map<string, number>()
  const read = new Set<unknown>()
  const owed = from('owed', 'n').map((row) => Number(row.n))
  const unfinished = from('message', 'n', unfinishedIn(owed))
  for (const row of unfinished.sort((a, b) => Number(a.n) - Number(b.n))) {
    if (!put(fresh, 'message', carried(row, { isUnsent, next, now, found }))) continue
    read.add(row.id)
  }
  for (const [id, count] of next)
    put(fresh, 'out_stream', { id, machine: machineOf(unfinished, id), next: count, sent_to: 0 })
  for (const n of owed) put(fresh, 'owed', { n })
  fresh.exec('COMMIT')
  if (memory !== undefined) fromMemory(fresh, memory, read, { now, found })
  // Places that were handed over and are not here will be given out again.
  fresh.exec('UPDATE agent SET pushed_to = min(pushed_to, (SELECT coalesce(max(n), 0) FROM message))')
  return found
}

/** What is open or failed, or whose receipt is owed. */
const unfinishedIn = (owed: number[]): string =>
  `is_open = 1 OR state = ${stateCode.failed}${owed.length > 0 ? ` OR n IN (${owed.join(', ')})` : ''}`

type Into = { isUnsent: (row: Row) => boolean; next: Map<string, number>; now: number; found: Salvaged }

/** The row as it stands in the new file. */
function carried(row: Row, { isUnsent, next, now, found }: Into): Row {
  if (row.way !== wayCode.out) {
    if (row.is_open === 1) found.kept++
    return row
  }
  // An empty place of a stream that is no more.
  if (row.is_open !== 1 || row.state === stateCode.failed) return { ...row, is_open: 0 }
  if (isUnsent(row)) {
    const stream = row.stream as string
    const seq = next.get(stream) ?? 0
    next.set(stream, seq + 1)
    found.requeued++
    return { ...row, seq, attempts: null, sent_at: null }
  }
  found.failed++
  const note = 'the file that says whether it arrived was damaged, so it may have arrived or not'
  found.untold.push({
    fromKey: nameKey(row.from_agent as string),
    id: row.id as string,
    to: row.to_agent as string,
    note,
  })
  return { ...row, is_open: 0, state: stateCode.failed, dead: 1, failed_at: now, reason: 'STORE_BROKEN', note }
}

const machineOf = (rows: Row[], stream: string): SQLInputValue =>
  rows.find((row) => row.stream === stream)?.to_machine ?? ''

/** Columns that the new file does not know, or that the old one did not have yet, are left out. False for a row that makes no sense. */
function put(fresh: DatabaseSync, table: string, row: Row): boolean {
  const known = columnsOf(fresh, table).filter((column) => row[column] !== undefined)
  try {
    statement(
      fresh,
      `INSERT OR REPLACE INTO ${table} (${known.join(', ')}) VALUES (${known.map(() => '?').join(', ')})`,
    ).run(...known.map((column) => row[column] as SQLInputValue))
    return true
  } catch (error) {
    // SQLITE_CONSTRAINT and SQLITE_MISMATCH: what was read is not what was written. Anything else is about the new file.
    if ([19, 20].includes(((error as { errcode?: number }).errcode ?? 0) & 0xff)) return false
    throw error
  }
}

const statements = new WeakMap<DatabaseSync, Map<string, StatementSync>>()
function statement(db: DatabaseSync, sql: string): StatementSync {
  const known = statements.get(db) ?? new Map<string, StatementSync>()
  statements.set(db, known)
  const prepared = known.get(sql) ?? db.prepare(sql)
  known.set(sql, prepared)
  return prepared
}

const columnsOf = (db: DatabaseSync, table: string): string[] =>
  (statement(db, `SELECT name FROM pragma_table_info('${table}')`).all() as { name: string }[]).map(({ name }) => name)

/** Names and the link as the running daemon holds them, and a failure for every message of which no text was found. */
function fromMemory(
  fresh: DatabaseSync,
  memory: State,
  read: ReadonlySet<unknown>,
  { now, found }: { now: number; found: Salvaged },
): void {
  createWriter(fresh).apply([
    ...[...memory.agents.values()].map((agent) => ({ op: 'agent' as const, row: agentRow(agent) })),
    { op: 'meta', key: 'identity', value: memory.identity && JSON.stringify(memory.identity) },
    { op: 'meta', key: 'roster', value: memory.roster && JSON.stringify(rosterOf(memory.roster)) },
    { op: 'meta', key: 'freshness', value: freshnessText(memory.freshness) },
  ])
  const note = 'its text was lost with a damaged file'
  for (const [id, stream] of memory.out) {
    if (read.has(id)) continue
    found.failed++
    found.untold.push({
      fromKey: stream.fromKey,
      id,
      to: stream.toKey,
      note: `${note}, and it may have arrived or not`,
    })
  }
  for (const agent of memory.agents.values())
    for (const entry of agent.waiting.values()) {
      if (read.has(entry.id)) continue
      found.failed++
      if (entry.fromKey !== undefined) found.untold.push({ fromKey: entry.fromKey, id: entry.id, to: agent.name, note })
      else if (put(fresh, 'message', refusal(entry, agent.name, { now, note }))) put(fresh, 'owed', { n: entry.n })
    }
}

/** Owed to the machine that sent it: it is told that the message failed. */
const refusal = (entry: InEntry, to: string, { now, note }: { now: number; note: string }): Row => ({
  n: entry.n,
  is_open: 0,
  way: wayCode.in,
  state: stateCode.failed,
  id: entry.id,
  from_agent: '',
  from_machine: entry.fromMachine ?? '',
  to_agent: to,
  to_key: nameKey(to),
  to_machine: '',
  ts: 0,
  at: now,
  expires_at: now,
  size: 0,
  failed_at: now,
  reason: 'STORE_BROKEN',
  note,
  body: '',
})
