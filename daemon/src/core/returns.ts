/** What goes back to senders' machines, and what comes back to us as one: acknowledgements, gaps, receipts, answers to receipts. */
import type { Receipt, Returned } from '@agent-relay/protocol'
import { acknowledged, gapTold } from './acknowledge.ts'
import { failOut, notifyFailed, rememberFailed } from './failure.ts'
import { type Frames, openFrames } from './frames.ts'
import { GAP_MAX_MS, GAP_MS } from './limits.ts'
import { reroute } from './moves.ts'
import { answerReceipts, heardOf, noteHeard, sayReceipts } from './receipts.ts'
import { type InStream, type State, wakeBy } from './state.ts'
import type { OutHeader, Turn } from './turn.ts'

/** Everything that this turn has to say to senders' machines, one frame per path. The last thing of a turn. */
export function giveBack(state: State, turn: Turn): void {
  if (state.toAck.size + state.gaps.size + state.debts.size + state.heard.size === 0) return
  const frames = openFrames(state)
  for (const [stream, isForRelay] of state.toAck) acknowledge(stream, isForRelay, frames)
  state.toAck.clear()
  state.strangers.clear()
  askForGaps(state, frames, turn)
  sayReceipts(state, frames, turn)
  answerReceipts(state, frames, turn)
  frames.close(turn)
}

/** Without a path nothing is said: the sender asks again. */
function acknowledge(stream: InStream, isForRelay: boolean, frames: Frames): void {
  const ack = { stream: stream.stream, outboxEpoch: stream.outboxEpoch, to: stream.machine, upTo: stream.next - 1 }
  // What came by the relay may be in its mailbox, which only an acknowledgement by the relay empties.
  for (const frame of new Set([frames.to(stream.machine), isForRelay ? frames.relay() : undefined])) {
    if (frame === undefined) continue
    frame.acks.push(ack)
    for (const { id, reason, note } of stream.refusals)
      frame.receipts.push({ id, state: 'failed', to: stream.machine, reason, note: note.slice(0, 200) })
  }
}

function askForGaps(state: State, frames: Frames, turn: Turn): void {
  for (const stream of state.toAsk) askFor(stream, frames)
  state.toAsk.clear()
  for (const stream of state.gaps) {
    if (stream.gapAt <= turn.now) {
      if (askFor(stream, frames)) stream.gapAsks++
      // A sender that lost its disk never answers, and one that comes back sends by itself.
      stream.gapAt = turn.now + Math.min(GAP_MAX_MS, GAP_MS * 2 ** Math.min(Math.max(1, stream.gapAsks), 20))
    }
    wakeBy(state, stream.gapAt)
  }
}

/** False when nothing reaches its sender now. */
function askFor({ machine: to, stream, outboxEpoch, next }: InStream, frames: Frames): boolean {
  const frame = frames.to(to)
  frame?.gaps.push({ stream, outboxEpoch, to, next })
  return frame !== undefined
}

/** A frame from a recipient's machine, or from a sender's that heard our receipts. */
export function returned(state: State, { from, batch }: Returned, known: OutHeader[], turn: Turn): void {
  // Refusals first: the acknowledgement that covers them makes the rest accepted. Evidence after it, for what it covers.
  const later = batch.receipts.filter((receipt) => !refused(state, from, receipt, turn))
  for (const ack of batch.acks) acknowledged(state, from, ack, turn)
  for (const receipt of later) takeReceipt(state, from, receipt, known, turn)
  for (const gap of batch.gaps) gapTold(state, from, gap, turn)
  heardOf(state, from, batch.heard ?? [], turn)
}

/** Whether this is the failure of a message that this machine still holds for that one. */
function refused(state: State, from: string, receipt: Receipt, turn: Turn): boolean {
  if (receipt.state !== 'failed') return false
  const stream = state.out.get(receipt.id)
  const entry = stream?.entries.find((candidate) => candidate.id === receipt.id)
  if (stream === undefined || entry === undefined || stream.machine !== from) return false
  noteHeard(state, from, receipt, turn)
  const why = { reason: receipt.reason ?? ('UNAVAILABLE' as const), note: receipt.note ?? 'its machine refused it' }
  if (why.reason === 'NOT_FOUND' && reroute(state, stream, entry, turn)) return true
  failOut(state, stream, entry, why, turn)
  return true
}

/** A receipt of a message that the recipient has accepted; the disk knows whether it is theirs to say. */
function takeReceipt(state: State, from: string, receipt: Receipt, known: OutHeader[], turn: Turn): void {
  const { id, reason, note } = receipt
  // Not accepted yet as far as this disk knows: unanswered it comes again, after the acknowledgement.
  if (state.out.has(id)) return
  noteHeard(state, from, receipt, turn)
  turn.ops.push({
    op: 'receipt',
    id,
    machine: from,
    state: receipt.state,
    at: turn.now,
    ...(reason && { reason }),
    ...(note !== undefined && { note }),
  })
  turn.effects.push({ type: 'progress', id, state: receipt.state, isHearsay: true })
  if (receipt.state !== 'failed' || state.failedLately.has(id)) return
  const header = known.find((candidate) => candidate.id === id)
  if (header === undefined || header.machine !== from || header.state === 'failed') return
  rememberFailed(state, id)
  const text = note ?? 'its machine gave it up'
  notifyFailed(state, header.fromAgent, { id, to: header.toAgent, note: text }, turn)
}
