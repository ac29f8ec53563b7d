/** Streams to other machines: numbered at queueing, sent within a window, kept until the other machine's inbox has them. */
import type { ErrorCode } from '@agent-relay/protocol'
import { linkTo } from './paths.ts'
import { type OutEntry, type OutStream, type State, wakeBy } from './state.ts'
import { type MessageRow, must, type Turn } from './turn.ts'

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
    path: null,
    isOnLink: false,
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
    link: linkTo(state, machine),
    fromKey,
    toKey,
    nextSeq: 0,
    sentTo: 0,
    entries: [],
    sent: 0,
    sentBytes: 0,
    retries: 0,
    retryAt: Number.POSITIVE_INFINITY,
    askedSeq: -1,
    isAskedFor: false,
    gapHeardAt: Number.NEGATIVE_INFINITY,
  }
  state.outStreams.set(id, stream)
  return stream
}

/** Nothing is known to be under way any more: its path changed, or the recipient asked for everything from a point on. */
export function rewind(state: State, stream: OutStream): void {
  for (let i = 0; i < stream.sent; i++) leaveLink(state, stream, stream.entries[i] as OutEntry)
  stream.sent = 0
  stream.sentBytes = 0
  stream.retries = 0
  stream.retryAt = Number.POSITIVE_INFINITY
  stream.askedSeq = -1
  stream.link.waiting.delete(stream)
  if (stream.entries.length > 0) state.toPump.add(stream)
}

/** Gives back the room that it took on its link, to whoever waits for some. */
export function leaveLink(state: State, { link }: OutStream, entry: OutEntry): void {
  if (!entry.isOnLink) return
  entry.isOnLink = false
  link.bytes -= entry.sizeBytes
  const [first] = link.waiting
  if (first !== undefined) state.toPump.add(first)
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
  leaveLink(state, stream, entry)
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
