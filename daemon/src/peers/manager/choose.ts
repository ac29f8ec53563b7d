/** Which link carries: newcomers, the choice among several, and what happens when one ends. */
import {
  ACTIVE_MS,
  BETTER_MS,
  BETTER_SHARE,
  HOT_LINKS,
  PAUSE_MS,
  SHORT_LINKS,
  SHORT_MS,
  SHORT_WITHIN_MS,
} from './limits.ts'
import { doubt, newLink, ping } from './pings.ts'
import { narrow, probeAnew } from './rounds.ts'
import { decides, isActive, type Link, linksOf, type Peer, type State, tierOf } from './state.ts'
import { type LinkFacts, wordsOf } from './words.ts'

/** Both ends have proved: it carries at once when there is no other. */
export function newcomer(state: State, peer: Peer, facts: LinkFacts, now: number): void {
  const refusal = whyNotTaken(state, peer, now)
  if (refusal !== undefined) {
    state.effects.push({ type: 'close', link: facts.id, why: refusal })
    return
  }
  // A new run of the other end: whatever the old one had is gone.
  const stale = linksOf(peer).filter(({ bootId }) => bootId !== facts.bootId)
  const link = newLink(facts, now)
  state.links.set(link.id, peer)
  peer.spares.push(link)
  const { current } = peer
  if (current === null) {
    makeRoom(state, peer)
    use(state, peer, link)
  } else if (stale.includes(current)) use(state, peer, link)
  else if (current.isProven) doubt(state, current, now)
  else if (outranks(state, peer, link, current)) use(state, peer, link)
  for (const old of stale) close(state, peer, old, 'its program was started anew')
  ping(state, link, now)
}

function whyNotTaken(state: State, peer: Peer, now: number): string | undefined {
  if (state.offBecause !== null) return state.offBecause
  // A pause is of this end's own dials: were both to refuse the other's, each would answer a pause with one.
  if (peer.current === null && hotPeers(state).length >= HOT_LINKS && coldest(state, now) === undefined)
    return `${HOT_LINKS} direct links are in use here already`
  return undefined
}

const hotPeers = (state: State): Peer[] => [...state.peers.values()].filter(({ current }) => current !== null)

/** The machine that was not talked to for longest, when that is not just now. */
function coldest(state: State, now: number): Peer | undefined {
  const [first] = hotPeers(state).sort((one, other) => one.trafficAt - other.trafficAt)
  return first === undefined || isActive(first, now, ACTIVE_MS) ? undefined : first
}

function makeRoom(state: State, peer: Peer): void {
  const hot = hotPeers(state)
  if (hot.length < HOT_LINKS) return
  const [victim] = hot.filter((one) => one !== peer).sort((one, other) => one.trafficAt - other.trafficAt)
  if (victim !== undefined) closeAll(state, victim, 'another machine needs its place more')
}

/** Of two that are both new: the nearer, then the one that the machine with the greater key dialed, then the first. */
function outranks(state: State, peer: Peer, link: Link, than: Link): boolean {
  const tiers = tierOf(link.kind) - tierOf(than.kind)
  if (tiers !== 0) return tiers < 0
  const isOfGreater = ({ role }: Link): boolean => (role === 'dialer') === decides(state, peer)
  return isOfGreater(link) && !isOfGreater(than)
}

/** Messages go by this link from now on. One that carried until now becomes a spare. */
function use(state: State, peer: Peer, link: Link): void {
  peer.spares = peer.spares.filter((spare) => spare !== link)
  if (peer.current !== null) peer.spares.push(peer.current)
  peer.current = link
  peer.punch = null
  narrow(state, peer, link.kind)
  state.effects.push({ type: 'use', machine: peer.machine, link: link.id, why: wordsOf(link.kind) })
}

/** Whether there may still be a machine with this link for current; asked after everything that happened to one of them. */
export function settle(state: State, peer: Peer, now: number): void {
  const { current } = peer
  if (current === null) return
  if (current.doubt !== null && now < current.doubt.until) return
  const isUnanswered = current.doubt !== null
  current.doubt = null
  // Without another link its silence is judged like any other.
  if (peer.spares.length === 0) return
  if (isUnanswered) {
    use(state, peer, best(state, peer))
    // The other end closes what it has given up; a link that only one of them believes in dies of its silence.
    if (decides(state, peer)) close(state, peer, current, 'it did not answer, and a newer link did')
    settle(state, peer, now)
    return
  }
  if (!decides(state, peer) || !current.isProven) return
  for (const spare of [...peer.spares]) {
    const verdict = compare(current, spare)
    if (verdict === 'worse') close(state, peer, spare, 'another link of the same machines stays')
    if (verdict !== 'better') continue
    use(state, peer, spare)
    close(state, peer, current, 'a better link took over')
    settle(state, peer, now)
    return
  }
}

const best = (state: State, peer: Peer): Link =>
  peer.spares.reduce((one, other) => (outranks(state, peer, other, one) ? other : one))

function compare(current: Link, spare: Link): 'better' | 'worse' | 'unknown' {
  const tiers = tierOf(spare.kind) - tierOf(current.kind)
  if (tiers > 0) return 'worse'
  if (tiers < 0) return spare.isProven ? 'better' : 'unknown'
  // Dialed in the same moment: the first one is as good.
  if (Math.abs(spare.openedAt - current.openedAt) < SHORT_MS) return 'worse'
  if (current.latencyMs === null || current.latencyMs <= BETTER_MS) return 'worse'
  if (spare.latencyMs === null) return 'unknown'
  const gainMs = current.latencyMs - spare.latencyMs
  return gainMs >= Math.max(BETTER_MS, BETTER_SHARE * current.latencyMs) ? 'better' : 'worse'
}

export function close(state: State, peer: Peer, link: Link, why: string): void {
  state.effects.push({ type: 'close', link: link.id, why })
  forget(state, peer, link)
}

/** Every link of this machine; nothing is looked for in their place before the next message. */
export function closeAll(state: State, peer: Peer, why: string): void {
  const had = peer.current !== null
  for (const link of linksOf(peer)) {
    state.effects.push({ type: 'close', link: link.id, why })
    state.links.delete(link.id)
  }
  peer.current = null
  peer.spares = []
  peer.relayWhy = why
  if (had) state.effects.push({ type: 'use', machine: peer.machine, link: null, why })
}

function forget(state: State, peer: Peer, link: Link): void {
  state.links.delete(link.id)
  peer.spares = peer.spares.filter((spare) => spare !== link)
  if (peer.current === link) peer.current = null
}

/** It is over, by its end or by its silence: another open one takes its place, else the relay does. */
export function ended(state: State, peer: Peer, link: Link, why: string, now: number): void {
  const wasCurrent = peer.current === link
  forget(state, peer, link)
  if (!wasCurrent) return
  if (peer.spares.length > 0) {
    use(state, peer, best(state, peer))
    return
  }
  state.effects.push({ type: 'use', machine: peer.machine, link: null, why })
  peer.relayWhy = `the direct link ended: ${why}`
  if (now - link.openedAt >= SHORT_MS) {
    probeAnew(peer, now)
    return
  }
  peer.shorts = [...peer.shorts.filter((at) => now - at < SHORT_WITHIN_MS), now]
  // The other end may still hold what this one lost: not at once, and not both in step.
  peer.probeAt = now + 500 + 1_000 * state.entropy.unit()
  if (peer.shorts.length <= SHORT_LINKS) return
  peer.shorts = []
  peer.pausedUntil = now + PAUSE_MS
  peer.relayWhy = `direct links to it kept breaking (${why}); tried again in ${PAUSE_MS / 60_000} min`
}
