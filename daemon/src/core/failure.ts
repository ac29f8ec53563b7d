/** A message that will not arrive: its sender's agent is told in-band, with what to do next. */
import { type ErrorCode, MAX_TTL_MS, nameKey } from '@agent-relay/protocol'
import { acceptHere, remove } from './hand-over.ts'
import { FAILED_LATELY } from './limits.ts'
import { failEntry } from './outbox.ts'
import { owe } from './receipts.ts'
import {
  type InEntry,
  type LocalAgent,
  type OutEntry,
  type OutStream,
  type State,
  selfId,
  selfPerson,
} from './state.ts'
import { answer, must, type Reply, type Turn } from './turn.ts'

/** From whom notices come; no agent can be called so. */
export const RELAY_SENDER = '[relay]'

type Why = { reason: ErrorCode; note: string }

/** Ends a message to another machine and tells its sender. */
export function failOut(state: State, stream: OutStream, entry: OutEntry, why: Why, turn: Turn): void {
  failEntry(state, stream, entry, why, turn)
  rememberFailed(state, entry.id)
  const to = state.roster?.agents.get(stream.toKey)?.name ?? stream.toKey
  notifyFailed(state, stream.fromKey, { id: entry.id, to, note: why.note }, turn)
}

/** The header of a later word on it may have been read before this failure is on disk; its sender is told once all the same. */
export function rememberFailed(state: State, id: string): void {
  state.failedLately.add(id)
  if (state.failedLately.size <= FAILED_LATELY) return
  for (const oldest of state.failedLately) {
    state.failedLately.delete(oldest)
    return
  }
}

/** Ends a message that waits in an inbox here and tells its sender, wherever that is. */
export function failIn(state: State, agent: LocalAgent, entry: InEntry, why: Why, turn: Turn): void {
  remove(agent, entry)
  // On disk before anybody hears of it: after a crash it would be handed over all the same.
  must(turn, { op: 'state', n: entry.n, state: 'failed', at: turn.now, isOpen: false, ...why })
  if (entry.fromMachine !== undefined) {
    owe(state, entry.fromMachine, { n: entry.n, id: entry.id, state: 'failed', ...why }, turn)
    return
  }
  turn.effects.push({ type: 'progress', id: entry.id, state: 'failed' })
  if (entry.fromKey !== undefined)
    notifyFailed(state, entry.fromKey, { id: entry.id, to: agent.name, note: why.note }, turn)
}

export function notifyFailed(
  state: State,
  senderKey: string,
  failed: { id: string; to: string; note: string },
  turn: Turn,
): void {
  const text = `Message ${failed.id} to ${failed.to} was not delivered: ${failed.note}. To send it again: agent-relay dead retry ${failed.id}`
  notify(state, senderKey, text, turn)
}

/** Puts a notice of the relay itself into an agent's inbox here. */
export function notify(state: State, agentKey: string, text: string, turn: Turn): void {
  const agent = state.agents.get(nameKey(agentKey))
  if (agent === undefined) return
  const row = {
    n: state.nextN++,
    id: state.entropy.id(turn.now),
    way: 'local' as const,
    state: 'accepted' as const,
    fromAgent: RELAY_SENDER,
    fromMachine: selfId(state),
    fromPerson: selfPerson(state),
    fromProject: null,
    toAgent: agent.name,
    toMachine: selfId(state),
    project: null,
    via: null,
    thread: null,
    replyTo: null,
    stream: null,
    seq: null,
    trace: null,
    ts: Math.floor(turn.now),
    at: turn.now,
    expiresAt: turn.now + MAX_TTL_MS,
    body: text,
    sizeBytes: text.length,
    reason: null,
    retryOf: null,
  }
  acceptHere(state, agent, row, turn)
}

/** An agent's adapter will not try these again: their senders are told why. What is marked already stays as it is. */
export function giveUp(
  state: State,
  agent: LocalAgent,
  { ids, note, reply }: { ids: string[]; note: string; reply: Reply },
  turn: Turn,
): void {
  let marked = 0
  for (const id of ids) {
    const entry = agent.waiting.get(id)
    if (entry === undefined) continue
    marked++
    failIn(state, agent, entry, { reason: 'UNAVAILABLE', note: note.slice(0, 200) }, turn)
  }
  state.touched.add(agent)
  answer(turn, reply, { type: 'marked', marked })
}
