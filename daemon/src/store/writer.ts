/** Operations of a turn as SQL, all in one transaction: one fsync for however many messages a tick brought. */
import type { DatabaseSync } from 'node:sqlite'
import { nameKey } from '@agent-relay/protocol'
import { RELAY_SENDER } from '../core/failure.ts'
import type { AgentRow, MessageRow, Op } from '../core/turn.ts'
import { DEAD, stateCode, wayCode } from './codes.ts'

type Attempt = Extract<Op, { op: 'attempt' }>

export type Writer = { apply(ops: readonly Op[]): void }

/** Prepares the statements once. `apply` throws what SQLite throws, and then nothing of it is in the file. */
export function createWriter(db: DatabaseSync): Writer {
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const insert = db.prepare(
    `INSERT INTO message (n, is_open, way, state, id, from_agent, from_machine, from_person, from_project, to_agent, to_key,
       to_machine, project, via, thread, reply_to, stream, seq, trace, ts, at, expires_at, size, reason, accepted_at, failed_at, body,
       path, attempts, sent_at, tried_at, retry_of)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const setState = ['stored', 'accepted'].map((state) =>
    db.prepare(
      `UPDATE message SET state = ?1, is_open = ?2, ${state}_at = ?3, path = coalesce(?4, path) WHERE n = ?5 AND state < ?1`,
    ),
  )
  const setMarked = ['injected', 'seen'].map((state) =>
    db.prepare(
      `UPDATE message SET state = ?1, is_open = ?2, ${state}_at = ?3, accepted_at = coalesce(?4, accepted_at)
       WHERE n = ?5 AND state < ?1`,
    ),
  )
  const fail = db.prepare(
    `UPDATE message SET state = 5, is_open = ?, failed_at = ?, reason = ?, note = ?,
       dead = (way <> ${wayCode.in} AND from_agent <> '${RELAY_SENDER}') WHERE n = ?`,
  )
  const receipt = ['injected', 'seen', 'failed'].map((state) =>
    db.prepare(
      `UPDATE message SET state = ?1, ${state}_at = ?2, reason = ?3, note = ?4, dead = (?1 = 5)
       WHERE id = ?5 AND way = 0 AND to_machine = ?6 AND is_open = 0 AND state < ?1`,
    ),
  )
  const attempt = db.prepare(
    'UPDATE message SET attempts = ?2, sent_at = coalesce(sent_at, ?1), tried_at = ?1, path = ?4 WHERE n = ?3',
  )
  const owed = db.prepare('INSERT OR IGNORE INTO owed (n) VALUES (?)')
  const told = db.prepare('DELETE FROM owed WHERE n IN (SELECT value FROM json_each(?))')
  const dead = db.prepare('UPDATE message SET dead = ?, retried_as = ? WHERE n = ?')
  const close = db.prepare('UPDATE message SET is_open = 0 WHERE n = ?')
  const move = db.prepare(
    'UPDATE message SET to_machine = ?, stream = ?, seq = ?, state = 0, attempts = NULL, sent_at = NULL, tried_at = NULL WHERE n = ?',
  )
  const sender = db.prepare('UPDATE message SET from_agent = ? WHERE n = ?')
  const stream = db.prepare(
    `INSERT INTO out_stream (id, machine, next, sent_to) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET next = excluded.next, sent_to = excluded.sent_to`,
  )
  const watermark = db.prepare(
    `INSERT INTO watermark (machine, outbox_epoch, stream, next) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET next = excluded.next`,
  )
  const agent = db.prepare(
    `INSERT OR REPLACE INTO agent (key, name, token_hash, is_person, project, repository, model, client, capabilities, epoch,
       claim, last_seen_at, pushed_to) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const agentGone = db.prepare('DELETE FROM agent WHERE key = ?')
  const pushed = db.prepare('UPDATE agent SET pushed_to = ? WHERE key = ?')
  const setMeta = db.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
  const dropMeta = db.prepare('DELETE FROM meta WHERE key = ?')

  const putMessage = (row: MessageRow, sent: Attempt | undefined): void => {
    const isAccepted = row.state === 'accepted'
    insert.run(
      row.n,
      row.state === 'failed' ? 0 : 1,
      wayCode[row.way],
      stateCode[row.state],
      row.id,
      row.fromAgent,
      row.fromMachine,
      row.fromPerson,
      row.fromProject,
      row.toAgent,
      nameKey(row.toAgent),
      row.toMachine,
      row.project,
      row.via,
      row.thread,
      row.replyTo,
      row.stream,
      row.seq,
      row.trace,
      row.ts,
      row.at,
      row.expiresAt,
      row.sizeBytes,
      row.reason,
      isAccepted ? row.at : null,
      row.state === 'failed' ? row.at : null,
      row.body,
      row.way === 'local' ? 'local' : (sent?.path ?? null),
      sent?.attempts ?? null,
      sent?.at ?? null,
      sent?.at ?? null,
      row.retryOf,
    )
  }
  const putAgent = (row: AgentRow): void => {
    agent.run(
      nameKey(row.name),
      row.name,
      row.tokenHash,
      row.isPerson ? 1 : 0,
      row.project,
      row.repository,
      row.model,
      row.client,
      JSON.stringify(row.capabilities),
      row.epoch,
      row.claim,
      row.lastSeenAt,
      row.pushedTo,
    )
  }

  const one = (op: Op, firstSent: ReadonlyMap<number, Attempt>): void => {
    switch (op.op) {
      case 'message':
        putMessage(op.row, op.row.way === 'out' ? firstSent.get(op.row.n) : undefined)
        return
      case 'state':
        if (op.state === 'failed') fail.run(op.isOpen ? 1 : 0, op.at, op.reason ?? null, op.note ?? null, op.n)
        else {
          const code = stateCode[op.state]
          if (code < 3) setState[code - 1]?.run(code, op.isOpen ? 1 : 0, op.at, op.path ?? null, op.n)
          else setMarked[code - 3]?.run(code, op.isOpen ? 1 : 0, op.at, op.acceptedAt ?? null, op.n)
        }
        return
      case 'receipt':
        receipt[stateCode[op.state] - 3]?.run(
          stateCode[op.state],
          op.at,
          op.reason ?? null,
          op.note ?? null,
          op.id,
          op.machine,
        )
        return
      case 'attempt':
        if (firstSent.get(op.n) !== op) attempt.run(op.at, op.attempts, op.n, op.path)
        return
      case 'owed':
        owed.run(op.n)
        return
      case 'told':
        told.run(JSON.stringify(op.ns))
        return
      case 'dead':
        dead.run(DEAD.indexOf(op.state), op.as, op.n)
        return
      case 'void-done':
        close.run(op.n)
        return
      case 'move':
        move.run(op.machine, op.stream, op.seq, op.n)
        return
      case 'sender':
        sender.run(op.agent, op.n)
        return
      case 'stream':
        stream.run(op.id, op.machine, op.next, op.sentTo)
        return
      case 'watermark':
        watermark.run(op.machine, op.outboxEpoch, op.stream, op.next)
        return
      case 'agent':
        putAgent(op.row)
        return
      case 'agent-gone':
        agentGone.run(nameKey(op.name))
        return
      case 'pushed':
        pushed.run(op.n, nameKey(op.name))
        return
      case 'meta':
        if (op.value === null) dropMeta.run(op.key)
        else setMeta.run(op.key, op.value)
        return
    }
  }

  return {
    apply(ops) {
      begin.run()
      try {
        const firstSent = sentAtOnce(ops)
        for (const op of ops) one(op, firstSent)
        commit.run()
      } catch (error) {
        // After a full disk SQLite has often rolled back by itself; then this one has nothing to do.
        if (db.isTransaction) db.exec('ROLLBACK')
        throw error
      }
    },
  }
}

/** First attempts of messages that the same transaction inserts, by their place: they need no statement of their own. */
function sentAtOnce(ops: readonly Op[]): Map<number, Attempt> {
  const sent = new Map<number, Attempt>()
  let firstInserted = Number.POSITIVE_INFINITY
  for (const op of ops) {
    if (op.op === 'message') firstInserted = Math.min(firstInserted, op.row.n)
    else if (op.op === 'attempt' && op.attempts === 1 && op.n >= firstInserted && !sent.has(op.n)) sent.set(op.n, op)
  }
  return sent
}
