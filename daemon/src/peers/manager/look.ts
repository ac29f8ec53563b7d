/** What is due for one machine, and how its way is told to people. */
import type { LinkState } from '@agent-relay/protocol'
import type { PeerView } from '../transport.ts'
import { close, ended, settle } from './choose.ts'
import { FORGET_MS, IDLE_CLOSE_MS } from './limits.ts'
import { isDead, isSuspect, keepAsking } from './pings.ts'
import { keepPunching, startPunch } from './punch.ts'
import { endRound, isOver, pump, startRound, wantsRound } from './rounds.ts'
import { linksOf, type Peer, type State, wakeBy } from './state.ts'
import { addressOf, wordsOf } from './words.ts'

/** Does what is due for this machine, and says when to look again. */
export function look(state: State, peer: Peer, now: number): void {
  peer.wakeAt = Number.POSITIVE_INFINITY
  for (const link of linksOf(peer)) {
    if (!isDead(link, now)) continue
    state.effects.push({ type: 'close', link: link.id, why: 'it was silent for too long' })
    ended(state, peer, link, `silent for ${Math.round((now - link.silentSince) / 1_000)} s`, now)
  }
  closeIdle(state, peer, now)
  settle(state, peer, now)
  keepAsking(state, peer, now)
  keepLooking(state, peer, now)
  keepPunching(state, peer, now)
  if (wantsRound(state, peer, now)) {
    startRound(state, peer, now)
    keepLooking(state, peer, now)
  }
  tell(state, peer, now)
}

function keepLooking(state: State, peer: Peer, now: number): void {
  const { round } = peer
  if (round === null) return
  pump(state, peer, round, now)
  if (!isOver(peer, round, now)) return
  endRound(state, peer, now)
  startPunch(state, peer, now)
}

function closeIdle(state: State, peer: Peer, now: number): void {
  const { current } = peer
  if (current === null) return
  const at = Math.max(peer.trafficAt, current.openedAt) + IDLE_CLOSE_MS
  if (now < at) {
    wakeBy(peer, at)
    return
  }
  const why = `nothing was sent for ${IDLE_CLOSE_MS / 60_000} min`
  for (const link of linksOf(peer)) close(state, peer, link, why)
  peer.relayWhy = `${why}; the next message opens a direct link again`
  state.effects.push({ type: 'use', machine: peer.machine, link: null, why })
}

/** Whether nothing is known of it that is worth keeping. */
export function isForgettable(peer: Peer, now: number): boolean {
  const isQuiet = peer.current === null && peer.spares.length === 0 && peer.round === null && peer.punch === null
  return isQuiet && peer.dials.size === 0 && now - Math.max(peer.trafficAt, peer.candidatesAt) > FORGET_MS
}

/** Says how it is when that is new. */
function tell(state: State, peer: Peer, now: number): void {
  const is = stateOf(peer, now)
  const why = whyOf(state, peer, is).slice(0, 200)
  const latencyMs = peer.current?.latencyMs ?? null
  if (peer.state === is && peer.why === why && !isOtherLatency(peer.latencyShownMs, latencyMs)) return
  if (peer.state !== is) peer.since = now
  peer.state = is
  peer.why = why
  peer.latencyShownMs = latencyMs
  state.effects.push({ type: 'changed', machine: peer.machine })
}

function stateOf({ current, round, punch }: Peer, now: number): LinkState {
  if (current !== null) return isSuspect(current, now) ? 'suspect' : 'direct'
  return round === null && punch === null ? 'relay' : 'probing'
}

function whyOf(state: State, { current, punch, relayWhy, canBeAsked }: Peer, is: LinkState): string {
  if (current !== null && is === 'suspect') return `a probe to ${addressOf(current.remote)} was not answered in time`
  if (current !== null)
    return current.role === 'dialer' ? wordsOf(current.kind) : `${wordsOf(current.kind)}; it dialed this machine`
  if (is === 'probing') return punch === null ? 'looking for a direct way' : 'trying to meet it through both routers'
  if (state.offBecause !== null) return state.offBecause
  return canBeAsked ? relayWhy : 'its agent-relay is too old for direct links'
}

/** Another one for the eye: by a fifth and more than noise. */
function isOtherLatency(shown: number | null, latencyMs: number | null): boolean {
  if (shown === null || latencyMs === null) return shown !== latencyMs
  return Math.abs(shown - latencyMs) > Math.max(2, 0.2 * shown)
}

export const viewOf = ({ machine, state, current, why, since }: Peer): PeerView => ({
  machine,
  state,
  kind: current?.kind ?? null,
  remote: current?.remote ?? null,
  latencyMs: current?.latencyMs ?? null,
  why,
  since,
})
