/** What two machines tell each other about their addresses, by way of the control plane. */
import { type Candidate, MAX_CANDIDATES } from '@agent-relay/protocol'
import { ANSWERS, ASKED_MS, PUNCHED_FRESH_MS } from './limits.ts'
import { never, type Peer, type State } from './state.ts'

/** How this machine can be reached now; what is punched only as long as a router surely remembers it. */
function ownCandidates(state: State, now: number): Candidate[] {
  const punched = freshPunched(state, now)
  if (punched === null) return state.candidates.slice(0, MAX_CANDIDATES)
  return [...state.candidates.slice(0, MAX_CANDIDATES - 1), punched]
}

export const freshPunched = (state: State, now: number): Candidate | null =>
  now - state.punchedAt < PUNCHED_FRESH_MS ? state.punched : null

/** Says how this machine can be reached; `wants` asks the other the same. */
export function say(state: State, peer: Peer, wants: boolean, now: number): void {
  if (!peer.canBeAsked) return
  if (wants) peer.askedAt = now
  const { bootId, entropy } = state
  const candidates = ownCandidates(state, now)
  const signal = { type: 'candidates' as const, id: entropy.id(now), bootId, candidates, wants }
  state.effects.push({ type: 'signal', machine: peer.machine, signal })
}

/** Answers a question, but no more of them than an honest machine has. */
export function answer(state: State, peer: Peer, now: number): void {
  peer.answers = peer.answers.filter((at) => now - at < ASKED_MS)
  if (peer.answers.length >= ANSWERS) return
  peer.answers.push(now)
  say(state, peer, false, now)
}

/** The shared port's address is wanted; asked once at a time. */
export function learn(state: State, now: number): void {
  if (!state.canPunch || !state.isOnline || state.isLearning || freshPunched(state, now) !== null) return
  state.isLearning = true
  state.effects.push({ type: 'learn' })
}

/** Takes what another machine said; true when it was asked, and this is the answer. */
export function takeCandidates(peer: Peer, candidates: Candidate[], now: number): boolean {
  peer.candidates = candidates
  peer.candidatesAt = now
  if (peer.askedAt === never) return false
  peer.signalMs = now - peer.askedAt
  peer.askedAt = never
  return true
}
