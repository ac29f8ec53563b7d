/** What recipients' machines say of our streams: how far their disks are, what they lack. Nothing is believed beyond what was sent. */
import type { Ack, Gap } from '@agent-relay/protocol'
import { failOut } from './failure.ts'
import { GAP_MS, MAX_SEQ, WINDOW_MESSAGES } from './limits.ts'
import { forget, leaveLink, rewind, traffic } from './outbox.ts'
import type { OutEntry, OutStream, State } from './state.ts'
import { pathOf } from './transmit.ts'
import type { Turn } from './turn.ts'
import { machineName } from './words.ts'

/** The other machine has everything up to `upTo` on its disk. Losing this in a crash only causes a repeat that it knows. */
export function acknowledged(state: State, from: string, ack: Ack, turn: Turn): void {
  const stream = ownStream(state, from, ack)
  if (stream === undefined) return
  if (ack.upTo >= sentBelow(stream)) {
    resync(state, stream, ack.upTo, turn)
    return
  }
  let count = 0
  for (const entry of stream.entries) {
    if (entry.seq > ack.upTo) break
    count++
    forget(state, entry)
    leaveLink(state, stream, entry)
    if (count <= stream.sent) stream.sentBytes -= entry.sizeBytes
    if (entry.isVoid) {
      if (entry.n > 0) turn.ops.push({ op: 'void-done', n: entry.n })
      continue
    }
    traffic(state, stream.machine).sent++
    const path = pathOf(entry)
    turn.ops.push({
      op: 'state',
      n: entry.n,
      state: 'accepted',
      at: turn.now,
      isOpen: false,
      ...(path !== null && { path }),
    })
    turn.effects.push({ type: 'progress', id: entry.id, state: 'accepted' })
  }
  if (count === 0) return
  stream.entries.splice(0, count)
  stream.sent = Math.max(0, stream.sent - count)
  if (stream.sent === 0) stream.sentBytes = 0
  stream.retries = 0
  stream.retryAt = Number.POSITIVE_INFINITY
  if (stream.entries.length === 0) stream.isAskedFor = false
  // A hole is left when only a part of what the recipient lost was filled: the next part follows.
  if ((stream.entries[0]?.seq ?? 0) > ack.upTo + 1) fillFrom(state, stream, ack.upTo + 1)
  state.toPump.add(stream)
}

/**
 * The recipient lacks `next`: everything from there goes out again, even what the cloud said it stores. The same question
 * by two paths, or again before an answer could be there, is answered once.
 */
export function gapTold(state: State, from: string, gap: Gap, turn: Turn): void {
  const stream = ownStream(state, from, gap)
  if (stream === undefined || gap.next >= sentBelow(stream)) return
  if (turn.now < stream.gapHeardAt + GAP_MS / 2) return
  stream.gapHeardAt = turn.now
  stream.isAskedFor = true
  for (const entry of stream.entries) if (entry.seq >= gap.next) entry.isStored = false
  fillFrom(state, stream, gap.next)
}

/**
 * What the recipient lacks and we have no more was moved, failed, or accepted before its inbox was lost: empty places say
 * so, a window of them at a time.
 */
function fillFrom(state: State, stream: OutStream, from: number): void {
  rewind(state, stream)
  const first = stream.entries[0]?.seq ?? stream.nextSeq
  const until = Math.min(first, from + WINDOW_MESSAGES)
  const missing: OutEntry[] = []
  for (let seq = from; seq < until; seq++) missing.push(emptyPlace(stream, seq))
  if (missing.length > 0) stream.entries = missing.concat(stream.entries)
}

const emptyPlace = (stream: OutStream, seq: number): OutEntry => ({
  n: 0,
  id: `void ${stream.id} ${seq}`,
  seq,
  sizeBytes: 0,
  expiresAt: Number.POSITIVE_INFINITY,
  queuedAt: 0,
  attempts: 1,
  path: null,
  isOnLink: false,
  isStored: false,
  isVoid: true,
})

/**
 * The recipient has places that this disk never gave away: relay.db was set back to an older copy of itself. What waits in
 * the stream stands at places that may have been others', so nobody can say whether it arrived; its senders hear that. The
 * stream goes on after the recipient's last place.
 */
function resync(state: State, stream: OutStream, upTo: number, turn: Turn): void {
  if (upTo >= MAX_SEQ) return
  const where = machineName(state, stream.machine)
  turn.effects.push({
    type: 'log',
    level: 'warn',
    text: `${where} has ${upTo + 1} messages of ${stream.id} and this machine remembers ${stream.nextSeq}: relay.db is an older copy of itself`,
  })
  const note = `${where} has later messages of this conversation than this machine remembers, so it may have arrived or not`
  for (const entry of stream.entries.filter((candidate) => !candidate.isVoid).reverse())
    failOut(state, stream, entry, { reason: 'CONFLICT', note }, turn)
  for (const entry of stream.entries) if (entry.n > 0) turn.ops.push({ op: 'void-done', n: entry.n })
  rewind(state, stream)
  stream.entries = []
  stream.nextSeq = upTo + 1
  stream.sentTo = stream.nextSeq
  state.grown.add(stream)
}

/** Places from here on certainly never left this machine. */
const sentBelow = (stream: OutStream): number => Math.min(stream.sentTo, stream.nextSeq)

/** The stream that this machine named so to that one, in this outbox epoch; anybody else's word is ignored. */
function ownStream(state: State, from: string, about: { stream: string; outboxEpoch: string }): OutStream | undefined {
  if (about.outboxEpoch !== state.outboxEpoch) return undefined
  const stream = state.outStreams.get(about.stream)
  return stream?.machine === from ? stream : undefined
}
