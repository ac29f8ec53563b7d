/** Envelopes from other machines: each stream in order and once, by a watermark that never moves over a hole. */
import { type Envelope, MAX_TTL_MS, nameKey, utf8Length } from '@agent-relay/protocol'
import { acceptHere } from './hand-over.ts'
import { GAP_MS, HOLD_BYTES, HOLD_MESSAGES, INBOX_MESSAGES, WINDOW_MESSAGES } from './limits.ts'
import { traffic } from './outbox.ts'
import { type InStream, type Refusal, type State, selfId, wakeBy } from './state.ts'
import type { MessageRow, Turn } from './turn.ts'

export const inStreamKey = (machine: string, outboxEpoch: string, stream: string): string =>
  `${machine} ${outboxEpoch} ${stream}`

/** Takes one envelope as it came from the relay or a peer; anything but the next of its stream waits, or is known. */
export function receive(state: State, envelope: Envelope, turn: Turn): void {
  const problem = misdirected(state, envelope)
  if (problem !== undefined) {
    turn.effects.push({ type: 'log', level: 'warn', text: `dropped an envelope: ${problem}` })
    return
  }
  const stream = streamOf(state, envelope)
  // Whatever it is, the sender gets to hear how far this stream is.
  state.toAck.add(stream)
  if (envelope.seq < stream.next) return
  if (envelope.seq > stream.next) {
    hold(state, stream, envelope, turn)
    return
  }
  if (!accept(state, stream, envelope, turn)) return
  for (let next = stream.held.get(stream.next); next !== undefined; next = stream.held.get(stream.next)) {
    if (!accept(state, stream, next.envelope, turn)) break
  }
  stream.gapAt = stream.held.size > 0 ? turn.now + GAP_MS : Number.POSITIVE_INFINITY
  wakeBy(state, stream.gapAt)
}

/** Puts what came too early aside, within bounds; what does not fit comes again. */
function hold(state: State, stream: InStream, envelope: Envelope, turn: Turn): void {
  if (stream.held.has(envelope.seq) || stream.held.size >= HOLD_MESSAGES) return
  const sizeBytes = utf8Length(envelope.body)
  if (stream.heldBytes + sizeBytes > HOLD_BYTES) return
  stream.held.set(envelope.seq, { envelope, sizeBytes, at: turn.now })
  stream.heldBytes += sizeBytes
  if (stream.gapAt === Number.POSITIVE_INFINITY) stream.gapAt = turn.now + GAP_MS
  wakeBy(state, stream.gapAt)
}

/** Moves the watermark over one envelope; false when there is no room for it now, and then nothing changed. */
function accept(state: State, stream: InStream, envelope: Envelope, turn: Turn): boolean {
  const agent = state.agents.get(nameKey(envelope.to.agent))
  const refusal = envelope.isVoid === true ? undefined : whyRefused(state, envelope)
  if (refusal === undefined && !envelope.isVoid && (agent?.waiting.size ?? 0) >= INBOX_MESSAGES) return false
  const held = stream.held.get(envelope.seq)
  if (held !== undefined) {
    stream.held.delete(envelope.seq)
    stream.heldBytes -= held.sizeBytes
  }
  stream.next = envelope.seq + 1
  // The sender has at most a window in flight: reaching this far, it has heard of everything before the window.
  if (stream.refusals.length > 0)
    stream.refusals = stream.refusals.filter((r) => r.seq > envelope.seq - WINDOW_MESSAGES)
  turn.ops.push({
    op: 'watermark',
    machine: stream.machine,
    outboxEpoch: stream.outboxEpoch,
    stream: stream.stream,
    next: stream.next,
  })
  turn.mustCommit = true
  if (envelope.isVoid) return true
  const row = rowOf(state, envelope, turn)
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

function whyRefused(state: State, envelope: Envelope): Omit<Refusal, 'seq' | 'id'> | undefined {
  const agent = state.agents.get(nameKey(envelope.to.agent))
  if (agent === undefined || agent.claim === 'refused')
    return { reason: 'NOT_FOUND', note: `${envelope.to.agent} is not registered on ${machineOf(state)}` }
  // The control plane's own machine holds no names, and so its people cannot lose theirs to another.
  if (envelope.from.user !== undefined) return undefined
  const holder = state.roster?.agents.get(nameKey(envelope.from.agent))
  const isFenced =
    holder !== undefined && holder.machine !== envelope.from.machine && envelope.from.epoch < holder.epoch
  return isFenced
    ? { reason: 'FENCED', note: `the name ${envelope.from.agent} belongs to another machine by now` }
    : undefined
}

const machineOf = (state: State): string => state.identity?.machine.name ?? state.hostName

function misdirected(state: State, envelope: Envelope): string | undefined {
  const me = selfId(state)
  if (envelope.to.machine !== me) return `it is for machine ${envelope.to.machine} and this is ${me}`
  if (state.identity !== null && envelope.org !== state.identity.org.id) return `it is of another organization`
  if (envelope.from.user !== undefined && envelope.from.machine !== state.roster?.cloud)
    return `only the dashboard speaks for a person, and machine ${envelope.from.machine} says it is @${envelope.from.user}`
  if (envelope.from.machine === me) return 'it claims to come from this machine'
  return undefined
}

function streamOf(state: State, envelope: Envelope): InStream {
  const { machine } = envelope.from
  const key = inStreamKey(machine, envelope.outboxEpoch, envelope.stream)
  const known = state.inStreams.get(key)
  if (known !== undefined) return known
  const stream = newInStream(machine, envelope.outboxEpoch, envelope.stream)
  state.inStreams.set(key, stream)
  return stream
}

export const newInStream = (machine: string, outboxEpoch: string, stream: string): InStream => ({
  machine,
  outboxEpoch,
  stream,
  next: 0,
  held: new Map(),
  heldBytes: 0,
  gapAt: Number.POSITIVE_INFINITY,
  refusals: [],
})

function rowOf(state: State, envelope: Envelope, turn: Turn): MessageRow {
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
    expiresAt: turn.now + Math.min(envelope.ttlMs, MAX_TTL_MS),
    body: envelope.body,
    sizeBytes: utf8Length(envelope.body),
    reason: null,
  }
}
