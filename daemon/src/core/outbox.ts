/** Streams to other machines: numbered at queueing, sent within a window, kept until the other machine's inbox has them. */
import type { Ack, ErrorCode, Gap } from '@agent-relay/protocol'
import { OUTBOX_MESSAGES, SENT_AHEAD, WINDOW_BYTES, WINDOW_MESSAGES } from './limits.ts'
import { epochOf, type OutEntry, type OutStream, type State, wakeBy } from './state.ts'
import { retryDelay, transmit } from './transmit.ts'
import { type MessageRow, must, type Outgoing, type Turn } from './turn.ts'

/** Gives the row its place in the stream of these two agents and commits it there. */
export function appendToStream(state: State, row: MessageRow, fromKey: string, toKey: string, turn: Turn): void {
  const stream = streamTo(state, fromKey, toKey, row.toMachine)
  row.stream = stream.id
  row.seq = stream.nextSeq
  must(turn, { op: 'message', row })
  append(state, stream, {
    n: row.n,
    id: row.id,
    seq: stream.nextSeq,
    sizeBytes: row.sizeBytes,
    expiresAt: row.expiresAt,
    queuedAt: row.at,
    attempts: 0,
    isStored: false,
    isVoid: false,
  })
}

export function append(state: State, stream: OutStream, entry: OutEntry): void {
  stream.nextSeq = entry.seq + 1
  stream.entries.push(entry)
  state.out.set(entry.id, stream)
  state.outCount++
  state.outBytes += entry.sizeBytes
  state.grown.add(stream)
  state.toPump.add(stream)
  wakeBy(state, entry.expiresAt)
}

/** The stream of these two agents, made when new. Its id stays when its sender is renamed. */
export function streamTo(
  state: State,
  fromKey: string,
  toKey: string,
  machine: string,
  id = `${fromKey}>${toKey}@${machine}`,
): OutStream {
  const known = state.outStreams.get(id)
  if (known !== undefined) return known
  const stream: OutStream = {
    id,
    machine,
    fromKey,
    toKey,
    nextSeq: 0,
    sentTo: 0,
    entries: [],
    sent: 0,
    sentBytes: 0,
    retries: 0,
    retryAt: Number.POSITIVE_INFINITY,
  }
  state.outStreams.set(id, stream)
  return stream
}

/** Sends what the window allows. What the cloud already stores is not sent again, but counts. */
export function pump(state: State, stream: OutStream, turn: Turn): Outgoing[] {
  const epoch = epochOf(state, stream.fromKey)
  if (epoch === null || !isLive(stream)) return []
  const outgoing: Outgoing[] = []
  while (stream.sent < stream.entries.length && stream.sent < WINDOW_MESSAGES) {
    const entry = stream.entries[stream.sent] as OutEntry
    if (stream.sent > 0 && stream.sentBytes + entry.sizeBytes > WINDOW_BYTES) break
    stream.sent++
    stream.sentBytes += entry.sizeBytes
    if (!entry.isStored) outgoing.push(transmit(stream, entry, epoch, turn))
  }
  if (outgoing.length > 0) noteSent(state, stream, turn)
  if (stream.sent > 0 && stream.retryAt === Number.POSITIVE_INFINITY) {
    stream.retryAt = turn.now + retryDelay(state, stream)
    wakeBy(state, stream.retryAt)
  }
  return outgoing
}

/**
 * Puts on disk how far the stream has left before it leaves: a place that was used and forgotten in a crash would be given
 * to another message, which the recipient then takes for a repeat. In a turn that commits anyway this is exact; else it
 * reaches ahead, so that a long stream costs a commit for every SENT_AHEAD messages and not for each.
 */
function noteSent(state: State, stream: OutStream, turn: Turn): void {
  const last = stream.entries[stream.sent - 1]
  if (last === undefined || last.seq < stream.sentTo) return
  stream.sentTo = last.seq + 1 + (turn.mustCommit ? 0 : SENT_AHEAD)
  state.grown.add(stream)
}

/** Nothing is known to be under way any more: the link went down, or the recipient asked for everything from a point on. */
export function rewind(state: State, stream: OutStream): void {
  stream.sent = 0
  stream.sentBytes = 0
  stream.retries = 0
  stream.retryAt = Number.POSITIVE_INFINITY
  if (stream.entries.length > 0) state.toPump.add(stream)
}

/** The other machine has everything up to `upTo` on its disk. Losing this in a crash only causes a repeat that it knows. */
export function acknowledged(state: State, from: string, ack: Ack, turn: Turn): void {
  const stream = ownStream(state, from, ack)
  if (stream === undefined) return
  let count = 0
  for (const entry of stream.entries) {
    if (entry.seq > ack.upTo) break
    count++
    forget(state, entry)
    if (count <= stream.sent) stream.sentBytes -= entry.sizeBytes
    if (entry.isVoid) {
      if (entry.n > 0) turn.ops.push({ op: 'void-done', n: entry.n })
      continue
    }
    traffic(state, stream.machine).sent++
    turn.ops.push({
      op: 'state',
      n: entry.n,
      state: 'accepted',
      at: turn.now,
      isOpen: false,
      path: entry.isStored ? 'mailbox' : 'relay',
    })
    turn.effects.push({ type: 'progress', id: entry.id, state: 'accepted' })
  }
  if (count === 0) return
  stream.entries.splice(0, count)
  stream.sent = Math.max(0, stream.sent - count)
  if (stream.sent === 0) stream.sentBytes = 0
  stream.retries = 0
  stream.retryAt = Number.POSITIVE_INFINITY
  state.toPump.add(stream)
}

/** The recipient lacks `next`: everything from there goes out again, even what the cloud said it stores. */
export function gapTold(state: State, from: string, gap: Gap): void {
  const stream = ownStream(state, from, gap)
  if (stream === undefined) return
  fillBefore(stream, gap.next)
  for (const entry of stream.entries) if (entry.seq >= gap.next) entry.isStored = false
  rewind(state, stream)
}

/** What the recipient lacks and we have no more was moved, failed or accepted before its inbox was lost: empty places say so. */
function fillBefore(stream: OutStream, from: number): void {
  const first = stream.entries[0]?.seq ?? stream.nextSeq
  if (from >= first || first - from > OUTBOX_MESSAGES) return
  const missing: OutEntry[] = []
  for (let seq = from; seq < first; seq++)
    missing.push({
      n: 0,
      id: `void ${stream.id} ${seq}`,
      seq,
      sizeBytes: 0,
      expiresAt: Number.POSITIVE_INFINITY,
      queuedAt: 0,
      attempts: 1,
      isStored: false,
      isVoid: true,
    })
  stream.entries.unshift(...missing)
}

export function traffic(state: State, machine: string): { sent: number; received: number } {
  let counts = state.traffic.get(machine)
  if (counts === undefined) {
    counts = { sent: 0, received: 0 }
    state.traffic.set(machine, counts)
  }
  return counts
}

/** An entry counts against the outbox until it is accepted or failed. */
export function forget(state: State, entry: OutEntry): void {
  if (!state.out.delete(entry.id)) return
  state.outCount--
  state.outBytes -= entry.sizeBytes
}

/** Marks the row failed; whoever sent it is told by the caller. Its place stays, empty, when others depend on it. */
export function failEntry(
  state: State,
  stream: OutStream,
  entry: OutEntry,
  why: { reason: ErrorCode; note: string },
  turn: Turn,
): void {
  forget(state, entry)
  entry.isVoid = true
  must(turn, {
    op: 'state',
    n: entry.n,
    state: 'failed',
    at: turn.now,
    isOpen: true,
    reason: why.reason,
    note: why.note,
  })
  turn.effects.push({ type: 'progress', id: entry.id, state: 'failed' })
  trim(state, stream, turn)
}

/** Gives up empty places at the end of a stream that never left: the next message takes the first of them. */
export function trim(state: State, stream: OutStream, turn: Turn): void {
  for (let last = stream.entries.at(-1); last?.isVoid && last.seq >= stream.sentTo; last = stream.entries.at(-1)) {
    stream.entries.pop()
    stream.nextSeq = last.seq
    state.grown.add(stream)
    if (last.n > 0) turn.ops.push({ op: 'void-done', n: last.n })
  }
}

/** Whether anything but empty places is left to send. */
export const isLive = (stream: OutStream): boolean => stream.entries.some((entry) => !entry.isVoid)

/** The stream that this machine named so to that one, in this outbox epoch; anybody else's word is ignored. */
function ownStream(state: State, from: string, about: { stream: string; outboxEpoch: string }): OutStream | undefined {
  if (about.outboxEpoch !== state.outboxEpoch) return undefined
  const stream = state.outStreams.get(about.stream)
  return stream?.machine === from ? stream : undefined
}
