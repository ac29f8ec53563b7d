/** Whether a link lives: pings, silence, doubt. */
import { ACTIVE_MS, DEAD_MS, DOUBT_MS, PING_ACTIVE_MS, PING_IDLE_MS, SUSPECT_MS } from './limits.ts'
import { isActive, type Link, linksOf, never, type Peer, type State, wakeBy } from './state.ts'
import type { LinkFacts } from './words.ts'

export function newLink({ id, machine, bootId, role, kind, remote }: LinkFacts, now: number): Link {
  return {
    ...{ id, machine, bootId, role, kind, remote },
    openedAt: now,
    pings: 0,
    pingedAt: never,
    unansweredAt: Number.POSITIVE_INFINITY,
    silentSince: Number.POSITIVE_INFINITY,
    heardAt: now,
    doubt: null,
    latencyMs: null,
    isProven: false,
  }
}

export function ping(state: State, link: Link, now: number): void {
  link.pings++
  link.pingedAt = now
  if (link.unansweredAt === Number.POSITIVE_INFINITY) {
    link.unansweredAt = now
    // While messages flow it is silence from the last word on; of an idle link only from the question on.
    link.silentSince = now - link.heardAt <= PING_ACTIVE_MS + 500 ? link.heardAt : now
  }
  state.effects.push({ type: 'ping', link: link.id, n: link.pings })
}

/** Anything came by it. A machine that reads slowly behind much traffic is no dead one. */
export function heard(link: Link, now: number): void {
  link.heardAt = now
  link.unansweredAt = Number.POSITIVE_INFINITY
  link.silentSince = Number.POSITIVE_INFINITY
}

/** An answer; a number that was never asked is none. */
export function pong(link: Link, n: number, now: number): void {
  if (n < 1 || n > link.pings) return
  heard(link, now)
  link.isProven = true
  if (n === link.pings) link.latencyMs = now - link.pingedAt
  if (link.doubt !== null && n >= link.doubt.n) link.doubt = null
}

/** The other end may have lost this link: it has a second to answer. */
export function doubt(state: State, link: Link, now: number): void {
  if (link.doubt !== null) return
  ping(state, link, now)
  link.doubt = { n: link.pings, until: now + DOUBT_MS }
}

/** This machine stood still, or slept: what is silent gets its chance from now on. */
export function forgive(state: State, peer: Peer, now: number): void {
  for (const link of linksOf(peer)) {
    link.unansweredAt = Number.POSITIVE_INFINITY
    link.doubt = null
    ping(state, link, now)
    link.silentSince = now
  }
}

export const isDead = (link: Link, now: number): boolean => now - link.silentSince >= DEAD_MS

/** A ping was missed. */
export const isSuspect = (link: Link, now: number): boolean => now - link.unansweredAt >= SUSPECT_MS

/** Asks where it is due, and says when to look again. */
export function keepAsking(state: State, peer: Peer, now: number): void {
  for (const link of linksOf(peer)) {
    const isSilent = link.unansweredAt !== Number.POSITIVE_INFINITY
    const everyMs = isSilent || isActive(peer, now, ACTIVE_MS) ? PING_ACTIVE_MS : PING_IDLE_MS
    if (now - link.pingedAt >= everyMs) ping(state, link, now)
    wakeBy(peer, link.pingedAt + everyMs)
    wakeBy(peer, link.silentSince + DEAD_MS)
    if (!isSuspect(link, now)) wakeBy(peer, link.unansweredAt + SUSPECT_MS)
    if (link.doubt !== null) wakeBy(peer, link.doubt.until)
  }
}
