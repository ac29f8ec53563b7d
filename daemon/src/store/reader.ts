/** Questions to relay.db: messages by place, by id, by inbox. */
import type { DatabaseSync } from 'node:sqlite'
import type { DeliveryState, Message } from '@agent-relay/protocol'
import type { DeadLetter, InHeader, OutHeader, Way } from '../core/turn.ts'
import { DEAD, STATES, WAYS, wayCode } from './codes.ts'
import { IS_REFUSED } from './search-index.ts'

/** A row of the message table as it stands there. */
export type StoredMessage = {
  n: number
  way: Way
  state: DeliveryState
  id: string
  fromAgent: string
  fromMachine: string
  fromPerson: string | null
  fromProject: string | null
  toAgent: string
  toMachine: string
  project: string | null
  via: string | null
  thread: string | null
  replyTo: string | null
  stream: string | null
  seq: number | null
  trace: string | null
  ts: number
  at: number
  sizeBytes: number
  attempts: number
  path: string | null
  reason: string | null
  note: string | null
  sentAt: number | null
  storedAt: number | null
  acceptedAt: number | null
  injectedAt: number | null
  seenAt: number | null
  failedAt: number | null
  /** When it was last handed to a path; `sentAt` is the first time. */
  triedAt: number | null
  dead: DeadLetter['dead'] | null
  retryOf: string | null
  retriedAs: string | null
  expiresAt: number
  body: string
}

export type Reader = {
  message(n: number): StoredMessage | undefined
  /** The newest message with this id, as its sender and as its recipient if both are here. */
  byId(id: string): StoredMessage | undefined
  /** Those whose id begins so, newest first, at most `limit`. */
  byPrefix(prefix: string, limit: number): StoredMessage[]
  inHeader(id: string, agentKey: string): InHeader | undefined
  outHeader(id: string): OutHeader | undefined
  /** An agent's inbox, oldest first: after this place, or the latest `limit` reaching back to `from` if that is earlier. */
  inbox(agentKey: string, options: { after?: number; from?: number; limit: number }): StoredMessage[]
  /** The newest of what was sent and received here before this place, newest first. */
  newest(before: number, limit: number): StoredMessage[]
  /** Open dead letters of this sender, or of all, newest first; all of them when `limit` is below 0. */
  deadLetters(agentKey: string | null, limit: number): StoredMessage[]
  deadLetter(id: string): DeadLetter | undefined
  /** Messages that failed since `at`. */
  failedSince(at: number): number
  /**
   * Agents that have read messages from here before, and since then have been handed some that they have not read: the oldest
   * before `at`. Of others it is not known whether they ever say that they read.
   */
  unseenSince(at: number): { agent: string; count: number; since: number; oldest: string }[]
  /** The place of the newest message; 0 when there is none. */
  newestPlace(): number
  /** What was sent from here after this place, oldest first, and how far that looked. */
  sent(after: number, limit: number): { rows: StoredMessage[]; upTo: number }
}

type Row = Record<string, string | number | null>

export function createReader(db: DatabaseSync): Reader {
  const byN = db.prepare('SELECT * FROM message WHERE n = ?')
  const byId = db.prepare('SELECT * FROM message WHERE id = ? ORDER BY n DESC LIMIT 1')
  const byPrefix = db.prepare('SELECT * FROM message WHERE id >= ?1 AND id < ?2 ORDER BY n DESC LIMIT ?3')
  const inHeader = db.prepare(
    'SELECT n, from_machine, way, at FROM message WHERE id = ? AND to_key = ? AND way > 0 AND state <> 5 ORDER BY n DESC LIMIT 1',
  )
  const outHeader = db.prepare(
    'SELECT from_agent, to_agent, to_machine, state FROM message WHERE id = ? AND way = 0 LIMIT 1',
  )
  const after = db.prepare(
    'SELECT * FROM message WHERE to_key = ? AND way > 0 AND n > ? AND state <> 5 ORDER BY n LIMIT ?',
  )
  const latest = db.prepare(
    'SELECT n FROM message WHERE to_key = ? AND way > 0 AND state <> 5 ORDER BY n DESC LIMIT 1 OFFSET ?',
  )
  const newest = db.prepare(`SELECT * FROM message WHERE n < ? AND NOT ${IS_REFUSED} ORDER BY n DESC LIMIT ?`)
  const deadLetters = db.prepare(
    'SELECT * FROM message WHERE dead = 1 AND (?1 IS NULL OR lower(from_agent) = ?1) ORDER BY n DESC LIMIT ?2',
  )
  const deadLetter = db.prepare('SELECT * FROM message WHERE id = ? AND dead > 0 ORDER BY n DESC LIMIT 1')
  const failed = db.prepare('SELECT count(*) AS count FROM message WHERE n > ? AND failed_at > ?')
  const unseen = db.prepare(`
    WITH recent AS (SELECT n, to_key, to_agent, state, injected_at, id FROM message WHERE n > ?1 AND way <> 1),
    reading AS (SELECT to_key, max(n) AS n FROM recent WHERE state = 4 GROUP BY to_key)
    SELECT r.to_agent AS agent, count(*) AS count, min(r.injected_at) AS since, min(r.id) AS oldest
    FROM recent r JOIN reading ON reading.to_key = r.to_key AND reading.n < r.n
    WHERE r.state = 3 GROUP BY r.to_key HAVING min(r.injected_at) < ?2 ORDER BY r.to_key`)
  const sent = db.prepare(`SELECT * FROM message WHERE n > ? AND way <> ${wayCode.in} ORDER BY n LIMIT ?`)
  const lastN = db.prepare('SELECT max(n) AS n FROM message')
  const newestPlace = (): number => ((lastN.get() as Row).n as number | null) ?? 0
  /** What is worth a line of status is recent, or waited: the last part of the file answers for it. */
  const recent = (): number => newestPlace() - 20_000
  return {
    message: (n) => read(byN.get(n) as Row | undefined),
    byId: (id) => read(byId.get(id) as Row | undefined),
    byPrefix: (prefix, limit) => (byPrefix.all(prefix, `${prefix}\uffff`, limit) as Row[]).map(toStored),
    inHeader(id, agentKey) {
      const row = inHeader.get(id, agentKey) as Row | undefined
      if (row === undefined) return undefined
      const isRemote = row.way === wayCode.in
      return {
        n: row.n as number,
        id,
        agentKey,
        fromMachine: isRemote ? (row.from_machine as string) : undefined,
        acceptedAt: row.at as number,
      }
    },
    outHeader(id) {
      const row = outHeader.get(id) as Row | undefined
      return (
        row && {
          id,
          fromAgent: row.from_agent as string,
          toAgent: row.to_agent as string,
          machine: row.to_machine as string,
          state: STATES[row.state as number] ?? 'queued',
        }
      )
    },
    inbox(agentKey, { after: afterN, from, limit }) {
      if (afterN !== undefined) return (after.all(agentKey, afterN, limit) as Row[]).map(toStored)
      const start = (latest.get(agentKey, limit - 1) as Row | undefined)?.n as number | undefined
      const first = Math.min(start ?? 0, from ?? Number.MAX_SAFE_INTEGER)
      return (after.all(agentKey, first - 1, limit) as Row[]).map(toStored)
    },
    newest: (before, limit) => (newest.all(before, limit) as Row[]).map(toStored),
    deadLetters: (agentKey, limit) => (deadLetters.all(agentKey, limit) as Row[]).map(toStored),
    deadLetter(id) {
      const row = read(deadLetter.get(id) as Row | undefined)
      return row && letterOf(row)
    },
    failedSince: (at) => (failed.get(recent(), at) as { count: number }).count,
    unseenSince: (at) => unseen.all(recent(), at) as ReturnType<Reader['unseenSince']>,
    newestPlace,
    sent(afterN, limit) {
      const upTo = newestPlace()
      const rows = (sent.all(afterN, limit) as Row[]).map(toStored)
      return { rows, upTo: rows.length < limit ? upTo : (rows.at(-1)?.n ?? upTo) }
    },
  }
}

const read = (row: Row | undefined): StoredMessage | undefined => (row === undefined ? undefined : toStored(row))

function toStored(row: Row): StoredMessage {
  const text = (name: string) => row[name] as string | null
  const number = (name: string) => row[name] as number | null
  return {
    n: row.n as number,
    way: WAYS[row.way as number] ?? 'out',
    state: STATES[row.state as number] ?? 'queued',
    id: row.id as string,
    fromAgent: row.from_agent as string,
    fromMachine: row.from_machine as string,
    fromPerson: text('from_person'),
    fromProject: text('from_project'),
    toAgent: row.to_agent as string,
    toMachine: row.to_machine as string,
    project: text('project'),
    via: text('via'),
    thread: text('thread'),
    replyTo: text('reply_to'),
    stream: text('stream'),
    seq: number('seq'),
    trace: text('trace'),
    ts: row.ts as number,
    at: row.at as number,
    sizeBytes: row.size as number,
    attempts: number('attempts') ?? 0,
    path: text('path'),
    reason: text('reason'),
    note: text('note'),
    sentAt: number('sent_at'),
    storedAt: number('stored_at'),
    acceptedAt: number('accepted_at'),
    injectedAt: number('injected_at'),
    seenAt: number('seen_at'),
    failedAt: number('failed_at'),
    triedAt: number('tried_at'),
    dead: DEAD[row.dead as number] ?? null,
    retryOf: text('retry_of'),
    retriedAs: text('retried_as'),
    expiresAt: row.expires_at as number,
    body: row.body as string,
  }
}

const letterOf = (row: StoredMessage): DeadLetter => ({
  n: row.n,
  id: row.id,
  from: row.fromAgent,
  to: row.toAgent,
  body: row.body,
  sizeBytes: row.sizeBytes,
  thread: row.thread,
  replyTo: row.replyTo,
  ttlMs: Math.round(row.expiresAt - row.at),
  dead: row.dead ?? 'open',
  retriedAs: row.retriedAs,
})

/** What the recipient's agent and person get to see; `machineName` names a machine by its id. */
export function toMessage(
  row: Pick<
    StoredMessage,
    | 'id'
    | 'fromAgent'
    | 'fromMachine'
    | 'fromPerson'
    | 'fromProject'
    | 'toAgent'
    | 'via'
    | 'thread'
    | 'replyTo'
    | 'ts'
    | 'body'
  >,
  machineName: string,
): Message {
  const message: Message = {
    id: row.id,
    from: row.fromAgent,
    fromMachine: machineName,
    to: row.toAgent,
    ts: row.ts,
    body: row.body,
  }
  if (row.fromPerson !== null) message.fromPerson = row.fromPerson
  if (row.fromProject !== null) message.fromProject = row.fromProject
  if (row.via !== null) message.via = row.via
  if (row.thread !== null) message.thread = row.thread
  if (row.replyTo !== null) message.replyTo = row.replyTo
  return message
}
