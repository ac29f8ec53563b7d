/** Envelopes from other machines: each stream in order and once, by a watermark that never moves over a hole. */
import { type Envelope, MAX_TTL_MS, nameKey, utf8Length } from '@agent-relay/protocol'
import { acceptHere } from './hand-over.ts'
import {
  GAP_MS,
  HOLD_ALL_BYTES,
  HOLD_ALL_MESSAGES,
  HOLD_BYTES,
  HOLD_MESSAGES,
  INBOX_MESSAGES,
  WINDOW_MESSAGES,
} from './limits.ts'
import { traffic } from './outbox.ts'
import { type InStream, type Refusal, type State, selfId, selfName, wakeBy } from './state.ts'
import { type CoreEvent, type MessageRow, must, type Turn } from './turn.ts'

export const inStreamKey = (machine: string, outboxEpoch: string, stream: string): string =>
  `${machine} ${outboxEpoch} ${stream}`

/** Takes what came from the relay, or from the machine `peer` by its direct link. */
export function receive(state: State, envelopes: Envelope[], peer: string | undefined, turn: Turn): void {
  const problems: string[] = []
  for (const envelope of envelopes) {
    const problem = misdirected(state, envelope, peer)
    if (problem === undefined) receiveOne(state, envelope, peer, turn)
    else problems.push(problem)
  }
  if (problems.length === 0) return
  const what = problems.length === 1 ? 'an envelope' : `${problems.length} envelopes`
  turn.effects.push({ type: 'log', level: 'warn', text: `dropped ${what}: ${problems[0]}` })
}

/** Anything but the next of its stream waits, or is known. */
function receiveOne(state: State, envelope: Envelope, peer: string | undefined, turn: Turn): void {
  const { outboxEpoch, stream: name } = envelope
  const stream = streamOf(state, { machine: envelope.from.machine, outboxEpoch, stream: name })
  // Whatever it is, the sender gets to hear how far this stream is.
  state.toAck.set(stream, peer === undefined || state.toAck.get(stream) === true)
  if (envelope.seq < stream.next) return
  if (envelope.seq > stream.next) {
    if (peer === undefined) stream.relayedTo = Math.max(stream.relayedTo, inWindow(stream, envelope.seq))
    hold(state, stream, envelope, turn)
    return
  }
  const first = stream.next
  let hasRoom = accept(state, stream, { envelope, at: turn.now }, turn)
  if (first === 0 && hasRoom) remember(state, stream)
  for (let held = stream.held.get(stream.next); held !== undefined && hasRoom; held = stream.held.get(stream.next))
    hasRoom = accept(state, stream, held, turn)
  // What filled the hole may have come by a direct link, and what waited behind it not.
  if (stream.next > first && stream.relayedTo >= first) state.toAck.set(stream, true)
  if (stream.next > stream.relayedTo) stream.relayedTo = -1
  // What a full inbox does not take is not asked for: its sender tries again by itself, and ever more rarely.
  const isMissing = hasRoom && (stream.held.size > 0 || stream.unreadTo >= stream.next)
  stream.gapAsks = 0
  waitForGap(state, stream, isMissing ? turn.now + GAP_MS : Number.POSITIVE_INFINITY)
}

/**
 * Of what cannot be read only the place counts: it is asked for with its stream's backoff, and its sender seals it anew. A repeat
 * of what is on the disk is acknowledged like any other, or the mailbox would keep it.
 */
export function unreadable(state: State, event: Unreadable, turn: Turn): void {
  const { machine, outboxEpoch, seq, peer } = event
  if (machine === selfId(state)) return
  const stream = streamOf(state, { machine, outboxEpoch, stream: event.stream })
  if (seq < stream.next) {
    state.toAck.set(stream, peer === undefined || state.toAck.get(stream) === true)
    return
  }
  // Nobody has proved who says so: how many streams wait for it is bounded, and how long one does.
  if (!state.gaps.has(stream) && state.gaps.size >= HOLD_ALL_MESSAGES) return
  stream.unreadTo = Math.max(stream.unreadTo, inWindow(stream, seq))
  if (peer === undefined) stream.relayedTo = Math.max(stream.relayedTo, inWindow(stream, seq))
  remember(state, stream)
  waitForGap(state, stream, stream.gapAt === Number.POSITIVE_INFINITY ? turn.now + GAP_MS : stream.gapAt)
}

/** No further than its sender can be while this is what is missing. */
const inWindow = (stream: InStream, seq: number): number => Math.min(seq, stream.next + WINDOW_MESSAGES - 1)

type Unreadable = Omit<Extract<CoreEvent, { type: 'unreadable' }>, 'type'>

/** Puts what came too early aside, within bounds; what does not fit comes again. */
function hold(state: State, stream: InStream, envelope: Envelope, turn: Turn): void {
  // Within its window a sender is not so far ahead, unless this inbox was lost: it is asked for all of it, and nothing is kept.
  if (envelope.seq >= stream.next + WINDOW_MESSAGES) {
    state.toAsk.add(stream)
    return
  }
  if (
    isFull(state, envelope) ||
    stream.held.has(envelope.seq) ||
    stream.held.size >= HOLD_MESSAGES ||
    state.heldCount >= HOLD_ALL_MESSAGES
  )
    return
  const sizeBytes = utf8Length(envelope.body)
  if (stream.heldBytes + sizeBytes > HOLD_BYTES || state.heldBytes + sizeBytes > HOLD_ALL_BYTES) return
  stream.held.set(envelope.seq, { envelope, sizeBytes, at: turn.now })
  stream.heldBytes += sizeBytes
  state.heldCount++
  state.heldBytes += sizeBytes
  remember(state, stream)
  waitForGap(state, stream, stream.gapAt === Number.POSITIVE_INFINITY ? turn.now + GAP_MS : stream.gapAt)
}

const remember = (state: State, stream: InStream): void => {
  state.inStreams.set(inStreamKey(stream.machine, stream.outboxEpoch, stream.stream), stream)
}

function waitForGap(state: State, stream: InStream, at: number): void {
  stream.gapAt = at
  if (at === Number.POSITIVE_INFINITY) state.gaps.delete(stream)
  else state.gaps.add(stream)
  wakeBy(state, at)
}

/** A path came up: what is missing is asked for soon, however often that was in vain. */
export function askAnew(state: State, turn: Turn, isMeant: (machine: string) => boolean): void {
  for (const stream of state.gaps) {
    if (!isMeant(stream.machine)) continue
    stream.gapAsks = 0
    waitForGap(state, stream, turn.now + GAP_MS)
  }
}

/** Moves the watermark over one envelope; false when there is no room for it now, and then nothing changed. */
function accept(state: State, stream: InStream, { envelope, at }: Arrived, turn: Turn): boolean {
  const agent = state.agents.get(nameKey(envelope.to.agent))
  const ttlMs = envelope.ttlMs - (turn.now - at)
  const refusal = envelope.isVoid === true ? undefined : whyRefused(state, envelope, ttlMs)
  if (refusal === undefined && !envelope.isVoid && isFull(state, envelope)) return false
  unhold(state, stream, envelope.seq)
  stream.next = envelope.seq + 1
  // The sender has at most a window in flight: reaching this far, it has heard of everything before the window.
  if (stream.refusals.length > 0)
    stream.refusals = stream.refusals.filter((r) => r.seq > envelope.seq - WINDOW_MESSAGES)
  must(turn, {
    op: 'watermark',
    machine: stream.machine,
    outboxEpoch: stream.outboxEpoch,
    stream: stream.stream,
    next: stream.next,
  })
  if (envelope.isVoid) return true
  const row = rowOf(state, envelope, ttlMs, turn)
  if (refusal !== undefined) {
    stream.refusals.push({ ...refusal, seq: envelope.seq, id: envelope.id })
    turn.ops.push({ op: 'message', row: { ...row, state: 'failed', reason: refusal.reason } })
    return true
  }
  if (agent === undefined) return true
  traffic(state, stream.machine).received++
  acceptHere(state, agent, row, turn)
  return true
}

const isFull = (state: State, { to }: Envelope): boolean =>
  (state.agents.get(nameKey(to.agent))?.waiting.size ?? 0) >= INBOX_MESSAGES

/** An envelope and when it came. */
type Arrived = { envelope: Envelope; at: number }

function unhold(state: State, stream: InStream, seq: number): void {
  const held = stream.held.get(seq)
  if (held === undefined) return
  stream.held.delete(seq)
  stream.heldBytes -= held.sizeBytes
  state.heldCount--
  state.heldBytes -= held.sizeBytes
}

function whyRefused(state: State, envelope: Envelope, ttlMs: number): Omit<Refusal, 'seq' | 'id'> | undefined {
  const agent = state.agents.get(nameKey(envelope.to.agent))
  if (agent === undefined || agent.claim === 'refused')
    return { reason: 'NOT_FOUND', note: `${envelope.to.agent} is not registered on ${selfName(state)}` }
  // Receipts and evidence go by the id: a second message under it would take the place of the first.
  if (agent.waiting.has(envelope.id))
    return { reason: 'CONFLICT', note: `another message with the id ${envelope.id} waits for ${agent.name}` }
  if (ttlMs <= 0)
    return {
      reason: 'EXPIRED',
      note: `its time to live ended on ${selfName(state)} while messages before it were missing`,
    }
  // The control plane's own machine holds no names, and so its people cannot lose theirs to another.
  if (envelope.from.user !== undefined) return undefined
  const holder = state.roster?.agents.get(nameKey(envelope.from.agent))
  const isFenced =
    holder !== undefined && holder.machine !== envelope.from.machine && envelope.from.epoch < holder.epoch
  return isFenced
    ? { reason: 'FENCED', note: `the name ${envelope.from.agent} belongs to another machine by now` }
    : undefined
}

function misdirected(state: State, { from, to, org }: Envelope, peer: string | undefined): string | undefined {
  const me = selfId(state)
  if (to.machine !== me) return `it is for machine ${to.machine} and this is ${me}`
  if (state.identity !== null && org !== state.identity.org.id) return `it is of another organization`
  if (from.user !== undefined && from.machine !== state.roster?.cloud)
    return `only the dashboard speaks for a person, and machine ${from.machine} says it is @${from.user}`
  if (from.machine === me) return 'it claims to come from this machine'
  return peer === undefined ? undefined : unproved(state, from, peer)
}

/**
 * By relay the control plane has checked who sends. By a direct link only the machine is proved: the name must be its own
 * by this machine's roster. Until that says so the sender keeps the message, and tries again.
 */
function unproved(state: State, from: Envelope['from'], peer: string): string | undefined {
  if (from.machine !== peer) return `it came from machine ${peer} and claims to come from ${from.machine}`
  const holder = state.roster?.agents.get(nameKey(from.agent))
  // A name that moved on under a later epoch is fenced, which is an answer; who has an unknown name may still come out.
  if (holder === undefined || (holder.machine !== peer && from.epoch >= holder.epoch))
    return `the name ${from.agent} is not known to be held by machine ${peer}`
  return undefined
}

type Named = { machine: string; outboxEpoch: string; stream: string }

function streamOf(state: State, { machine, outboxEpoch, stream: name }: Named): InStream {
  const key = inStreamKey(machine, outboxEpoch, name)
  const known = state.inStreams.get(key) ?? state.strangers.get(key)
  if (known !== undefined) return known
  // Remembered beyond this turn only when something of it is taken.
  const stream = newInStream(machine, outboxEpoch, name)
  state.strangers.set(key, stream)
  return stream
}

export const newInStream = (machine: string, outboxEpoch: string, stream: string): InStream => ({
  machine,
  outboxEpoch,
  stream,
  next: 0,
  held: new Map(),
  heldBytes: 0,
  unreadTo: -1,
  relayedTo: -1,
  gapAt: Number.POSITIVE_INFINITY,
  gapAsks: 0,
  refusals: [],
})

function rowOf(state: State, envelope: Envelope, ttlMs: number, turn: Turn): MessageRow {
  const { user } = envelope.from
  const sender = user === undefined ? state.roster?.agents.get(nameKey(envelope.from.agent)) : undefined
  return {
    n: state.nextN++,
    id: envelope.id,
    way: 'in',
    state: 'accepted',
    fromAgent: user === undefined ? envelope.from.agent : `@${user}`,
    fromMachine: envelope.from.machine,
    fromPerson: user ?? state.roster?.machines.get(envelope.from.machine)?.person ?? null,
    fromProject: sender?.project ?? null,
    toAgent: envelope.to.agent,
    toMachine: envelope.to.machine,
    project: envelope.to.project ?? null,
    via: envelope.to.via ?? null,
    thread: envelope.thread ?? null,
    replyTo: envelope.replyTo ?? null,
    stream: envelope.stream,
    seq: envelope.seq,
    trace: envelope.trace,
    ts: envelope.ts,
    at: turn.now,
    expiresAt: turn.now + Math.min(ttlMs, MAX_TTL_MS),
    body: envelope.body,
    sizeBytes: utf8Length(envelope.body),
    reason: null,
    retryOf: null,
  }
}
