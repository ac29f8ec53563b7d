/** How much is under way: per stream a window, per machine a link's room, shared fairly between its streams. */
import { LINK_BYTES, SENT_AHEAD, SHARE_BYTES, WINDOW_BYTES, WINDOW_MESSAGES } from './limits.ts'
import { isLive } from './outbox.ts'
import { epochOn, load, pathTo } from './paths.ts'
import { type OutEntry, type OutLink, type OutStream, type Path, type State, wakeBy } from './state.ts'
import { retryDelay, transmit } from './transmit.ts'
import type { Outgoing, Turn } from './turn.ts'

/** Sends what the windows and the links of these streams allow. */
export function pumpAll(state: State, turn: Turn): void {
  if (state.toPump.size === 0) return
  const byLink = new Map<OutLink, OutStream[]>()
  for (const stream of state.toPump) {
    const others = byLink.get(stream.link)
    if (others === undefined) byLink.set(stream.link, [stream])
    else others.push(stream)
  }
  state.toPump.clear()
  for (const [link, streams] of byLink) {
    const path = pathTo(state, link)
    if (path !== null) load(state.cargo, link, path, share(state, link, { path, streams, turn }))
  }
}

type Pumping = { path: Path; streams: OutStream[]; turn: Turn }

/** Each stream in its turn gets a share until nothing is left or the link is full; then those that had no turn yet go on first. */
function share(state: State, link: OutLink, { path, streams, turn }: Pumping): Outgoing[] {
  const outgoing: Outgoing[] = []
  let ring = link.waiting.size === 0 ? streams : [...new Set([...link.waiting, ...streams])]
  link.waiting.clear()
  while (ring.length > 0) {
    const unfinished: OutStream[] = []
    for (const [at, stream] of ring.entries()) {
      const before = outgoing.length
      const end = pump(state, stream, { path, outgoing, turn, isAlone: ring.length === 1 })
      if (end === 'share' || (end === 'full' && outgoing.length > before)) unfinished.push(stream)
      if (end === 'full') {
        link.waiting = new Set([...ring.slice(unfinished.at(-1) === stream ? at + 1 : at), ...unfinished])
        return outgoing
      }
    }
    ring = unfinished
  }
  return outgoing
}

type Share = { path: Path; outgoing: Outgoing[]; turn: Turn; isAlone: boolean }

/** One share of one stream: until its window ends (`done`), the share does, or the link is full. */
function pump(state: State, stream: OutStream, { path, outgoing, turn, isAlone }: Share): 'done' | 'share' | 'full' {
  const epoch = epochOn(state, path, stream.fromKey)
  if (epoch === null || !(stream.isAskedFor || isLive(stream))) return 'done'
  const { link } = stream
  const before = outgoing.length
  let end: 'done' | 'share' | 'full' = 'done'
  let bytes = 0
  if (path === 'direct') ask(stream, epoch, outgoing, turn)
  while (stream.sent < stream.entries.length && stream.sent < WINDOW_MESSAGES) {
    const entry = stream.entries[stream.sent] as OutEntry
    if (stream.sent > 0 && stream.sentBytes + entry.sizeBytes > WINDOW_BYTES) break
    if (!entry.isStored) {
      const size = entry.isVoid ? 0 : entry.sizeBytes
      if (link.bytes > 0 && link.bytes + size > LINK_BYTES) end = 'full'
      else if (!isAlone && bytes > 0 && bytes + size > SHARE_BYTES) end = 'share'
      if (end !== 'done') break
      bytes += size
      link.bytes += size
      entry.isOnLink = !entry.isVoid
      outgoing.push(transmit(stream, entry, { epoch, path, turn }))
    }
    stream.sent++
    stream.sentBytes += entry.sizeBytes
  }
  if (outgoing.length > before) noteSent(state, stream, turn)
  if (stream.sent > 0 && stream.retryAt === Number.POSITIVE_INFINITY) {
    stream.retryAt = turn.now + retryDelay(state, stream, path)
    wakeBy(state, stream.retryAt)
  }
  return end
}

/**
 * What the cloud stores is not sent again by a direct link as long as it may still come from there: that would double a
 * whole mailbox. Only the oldest is, as a question, and then the next with each acknowledgement, so that a stream moves on
 * while the cloud is away; a recipient that has later ones already asks for all that it lacks.
 */
function ask(stream: OutStream, epoch: number, outgoing: Outgoing[], turn: Turn): void {
  const head = stream.entries[0]
  if (head === undefined || !head.isStored || head.seq === stream.askedSeq) return
  stream.askedSeq = head.seq
  outgoing.push(transmit(stream, head, { epoch, path: 'direct', turn }))
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
