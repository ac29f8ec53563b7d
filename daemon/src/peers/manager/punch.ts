/**
 * Two machines behind routers meet: each dials the address that the control plane saw of the other's shared port, at the same
 * moment, so that each router takes the other's first packet for an answer. The machine with the greater key leads.
 */
import type { Candidate } from '@agent-relay/protocol'
import { ANSWER_MS, PUNCH_APART_MS, PUNCHES } from './limits.ts'
import { dial } from './rounds.ts'
import { freshPunched, learn, say } from './signals.ts'
import { decides, type Peer, type Punch, type State, wakeBy } from './state.ts'

const punchedOf = ({ candidates }: Peer): Candidate | undefined => candidates.find(({ kind }) => kind === 'punched')

/** After a round in vain: whether these two may meet so, and then the first try. */
export function startPunch(state: State, peer: Peer, now: number): void {
  // Whether the other is behind a router it may still be finding out: it is asked.
  if (!state.canPunch || !state.isOnline || !decides(state, peer) || peer.current !== null) return
  peer.punch = { stage: 'asking', attempts: 0, startedAt: now, at: now, candidate: null }
  ask(state, peer, peer.punch, now)
}

/** Asks the other for its address as it is now, which also says how long a signal takes. */
function ask(state: State, peer: Peer, punch: Punch, now: number): void {
  punch.stage = 'asking'
  punch.attempts++
  punch.startedAt = now
  punch.at = now + ANSWER_MS
  learn(state, now)
  say(state, peer, true, now)
}

/** The other end said something, or this end's own address is known: the try begins when both are. */
export function tryPunch(state: State, peer: Peer, now: number): void {
  const { punch } = peer
  const [own, theirs] = [freshPunched(state, now), punchedOf(peer)]
  if (punch?.stage !== 'asking' || own === null || theirs === undefined || peer.candidatesAt < punch.startedAt) return
  const { bootId, entropy } = state
  const signal = { type: 'punch' as const, id: entropy.id(now), bootId, candidate: own }
  state.effects.push({ type: 'signal', machine: peer.machine, signal })
  punch.stage = 'dialing'
  punch.candidate = theirs
  punch.at = now + peer.signalMs / 2
}

/** What is due of it. */
export function keepPunching(state: State, peer: Peer, now: number): void {
  const { punch } = peer
  if (punch === null) return
  if (now >= punch.at) {
    if (punch.stage === 'asking') giveUp(peer, punchedOf(peer) && 'it did not answer when the two were about to meet')
    else if (punch.stage === 'resting') ask(state, peer, punch, now)
    else if (punch.candidate !== null) {
      dial(state, peer, punch.candidate)
      punch.candidate = null
      punch.at = Number.POSITIVE_INFINITY
    }
  }
  if (peer.punch !== null) wakeBy(peer, punch.at)
}

/** A punched dial of this end failed. */
export function punchFailed(peer: Peer, now: number): void {
  const { punch } = peer
  if (punch === null) return
  if (punch.attempts >= PUNCHES) {
    giveUp(peer, 'the routers between do not let the two meet')
    return
  }
  punch.stage = 'resting'
  punch.at = Math.max(now, punch.startedAt + PUNCH_APART_MS)
}

/** Without a reason of its own it goes by relay for what the round before found. */
function giveUp(peer: Peer, why: string | undefined): void {
  peer.punch = null
  if (why !== undefined) peer.relayWhy = why
}

/** The leader has begun: this end dials at once, from the port that it told of. */
export function joinPunch(state: State, peer: Peer, candidate: Candidate, now: number): void {
  if (decides(state, peer) || candidate.kind !== 'punched' || !state.canPunch || state.offBecause !== null) return
  if (peer.current !== null || now < peer.pausedUntil || now - peer.punchedAt < PUNCH_APART_MS - 1_000) return
  peer.punchedAt = now
  dial(state, peer, candidate)
}
