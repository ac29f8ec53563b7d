/** What goes back to senders, and what comes back to us as one: acknowledgements, gaps, receipts; refusals before the acknowledgements that cover them. */
import type { Ack, Gap, Receipt, RelayResult, Returned } from '@agent-relay/protocol'
import { claimOf } from './agents.ts'
import { failOut, notifyFailed } from './failure.ts'
import { GAP_MS } from './limits.ts'
import { acknowledged, append, forget, gapTold, streamTo, trim } from './outbox.ts'
import { find } from './routing.ts'
import { type OutEntry, type OutStream, type State, selfId, wakeBy } from './state.ts'
import { must, type OutHeader, type Turn } from './turn.ts'

/** Everything that this turn has to say to senders, as one frame. */
export function giveBack(state: State, turn: Turn): void {
  if (!state.isUp) {
    state.toAck.clear()
    return
  }
  const acks: Ack[] = []
  const gaps: Gap[] = []
  const receipts = state.receipts
  for (const stream of state.toAck) {
    const about = { stream: stream.stream, outboxEpoch: stream.outboxEpoch, to: stream.machine }
    acks.push({ ...about, upTo: stream.next - 1 })
    for (const refusal of stream.refusals)
      receipts.push({
        id: refusal.id,
        state: 'failed',
        to: stream.machine,
        reason: refusal.reason,
        note: refusal.note.slice(0, 200),
      })
  }
  state.toAck.clear()
  for (const stream of state.inStreams.values()) {
    if (stream.gapAt > turn.now) {
      wakeBy(state, stream.gapAt)
      continue
    }
    gaps.push({ stream: stream.stream, outboxEpoch: stream.outboxEpoch, to: stream.machine, next: stream.next })
    stream.gapAt = turn.now + GAP_MS * 2
    wakeBy(state, stream.gapAt)
  }
  if (acks.length + gaps.length + receipts.length === 0) return
  state.receipts = []
  turn.effects.push({ type: 'return', batch: { acks, gaps, receipts } })
}

/** A frame from a recipient's machine. */
export function returned(state: State, { from, batch }: Returned, known: OutHeader[], turn: Turn): void {
  for (const receipt of batch.receipts) take(state, from, receipt, known, turn)
  for (const ack of batch.acks) acknowledged(state, from, ack, turn)
  for (const gap of batch.gaps) gapTold(state, from, gap)
}

function take(state: State, from: string, receipt: Receipt, known: OutHeader[], turn: Turn): void {
  const stream = state.out.get(receipt.id)
  const entry = stream?.entries.find((candidate) => candidate.id === receipt.id)
  if (receipt.state === 'failed' && stream !== undefined && entry !== undefined) {
    if (stream.machine !== from || entry.isVoid) return
    const why = { reason: receipt.reason ?? ('UNAVAILABLE' as const), note: receipt.note ?? 'its machine refused it' }
    if (why.reason === 'NOT_FOUND' && reroute(state, stream, entry, turn)) return
    failOut(state, stream, entry, why, turn)
    return
  }
  turn.ops.push({
    op: 'receipt',
    id: receipt.id,
    machine: from,
    state: receipt.state,
    at: turn.now,
    ...(receipt.reason && { reason: receipt.reason }),
    ...(receipt.note !== undefined && { note: receipt.note }),
  })
  turn.effects.push({ type: 'progress', id: receipt.id, state: receipt.state })
  const header = receipt.state === 'failed' ? known.find((candidate) => candidate.id === receipt.id) : undefined
  if (header === undefined) return
  const note = receipt.note ?? 'its machine gave it up'
  notifyFailed(state, header.fromAgent, { id: receipt.id, to: header.toAgent, note }, turn)
}

/**
 * Sends a message where its agent lives now. Only for one that certainly is in no inbox: never sent, or refused by the
 * machine that it was sent to. Its old place becomes empty.
 */
function reroute(state: State, stream: OutStream, entry: OutEntry, turn: Turn): boolean {
  const target = find(state, stream.toKey)
  if (target === undefined || target.machine === stream.machine || target.machine === selfId(state)) return false
  forget(state, entry)
  const place = stream.entries.indexOf(entry)
  stream.entries[place] = { ...entry, n: 0, id: `void ${stream.id} ${entry.seq}`, isVoid: true }
  const next = streamTo(state, stream.fromKey, stream.toKey, target.machine)
  const moved = { ...entry, seq: next.nextSeq, attempts: 0, isStored: false }
  must(turn, { op: 'move', n: entry.n, machine: target.machine, stream: next.id, seq: moved.seq })
  append(state, next, moved)
  trim(state, stream, turn)
  return true
}

/** The relay's answer: what it refuses for good fails, what it stores waits there, everything else is tried again. */
export function relayed(state: State, results: RelayResult[], turn: Turn): void {
  const fenced = new Set<string>()
  for (const result of results) {
    const stream = state.out.get(result.id)
    const entry = stream?.entries.find((candidate) => candidate.id === result.id)
    if (stream === undefined || entry === undefined || entry.isVoid) continue
    if (result.state === 'stored' && !entry.isStored) {
      entry.isStored = true
      turn.ops.push({ op: 'state', n: entry.n, state: 'stored', at: turn.now, isOpen: true, path: 'mailbox' })
      turn.effects.push({ type: 'progress', id: entry.id, state: 'stored' })
      if (stream.entries[0] === entry) stream.retryAt = Number.POSITIVE_INFINITY
      state.toPump.add(stream)
    }
    const error = result.state === 'refused' ? result.error : undefined
    if (error?.code === 'FENCED') fenced.add(stream.fromKey)
    if (error === undefined || !FINAL.has(error.code)) continue
    const isFirst = entry.attempts <= 1
    if (error.code === 'NOT_FOUND' && isFirst && reroute(state, stream, entry, turn)) continue
    failOut(state, stream, entry, { reason: error.code, note: error.message.slice(0, 200) }, turn)
  }
  // The name's epoch moved on: the control plane says to which, or that it is not ours, and then what waits fails by that.
  for (const key of fenced) {
    const agent = state.agents.get(key)
    if (agent?.isConfirmed !== true) continue
    agent.isConfirmed = false
    turn.effects.push({ type: 'claim', agent: claimOf(agent) })
  }
}

/** Refusals that trying again does not change. */
const FINAL = new Set<string>([
  'BAD_REQUEST',
  'FORBIDDEN',
  'NOT_FOUND',
  'UNKNOWN_ADDRESS',
  'TOO_LARGE',
  'EXPIRED',
  'POLICY_REFUSED',
  'PLAN_LIMIT',
])

/** After a change of the roster: what never left goes to where its agent is now. */
export function followMoves(state: State, turn: Turn): void {
  for (const stream of [...state.outStreams.values()]) {
    const target = stream.entries.length === 0 ? undefined : find(state, stream.toKey)
    if (target === undefined || target.machine === stream.machine) continue
    const unsent = stream.entries.filter((entry) => entry.attempts === 0 && !entry.isVoid)
    for (const entry of unsent) reroute(state, stream, entry, turn)
  }
}
