/** Looking for a way: which addresses are dialed, when, and how many at a time. */
import type { Candidate, CandidateKind } from '@agent-relay/protocol'
import {
  ACTIVE_MS,
  ANSWER_MS,
  CANDIDATES_FRESH_MS,
  DIAL_FAR_MS,
  DIAL_NEAR_MS,
  DIALS,
  DIALS_PER_MACHINE,
  PROBE_FIRST_MS,
  PROBE_MAX_MS,
  QUEUE_LOOK_MS,
  ROUNDS,
  STAGGER_MS,
} from './limits.ts'
import { learn, say } from './signals.ts'
import { decides, isActive, never, type Peer, type Round, rankOf, type State, tierOf, wakeBy } from './state.ts'
import { addressOf } from './words.ts'

/** Whether this machine is to be looked for now, or a better way to it. */
export function wantsRound(state: State, peer: Peer, now: number): boolean {
  if (state.offBecause !== null || !peer.canBeAsked || peer.round !== null || peer.punch !== null) return false
  if (!isActive(peer, now, ACTIVE_MS) || (peer.current !== null && tierOf(peer.current.kind) === 0)) return false
  const at = Math.max(peer.probeAt, peer.pausedUntil)
  if (now < at) {
    wakeBy(peer, at)
    return false
  }
  const isBusy = state.rounds.size >= ROUNDS
  if (isBusy) wakeBy(peer, now + QUEUE_LOOK_MS)
  return !isBusy
}

export function startRound(state: State, peer: Peer, now: number, isWide = false): void {
  const canAsk = state.isOnline || peer.current !== null
  peer.round = {
    startedAt: now,
    answerBy: canAsk ? now + ANSWER_MS : never,
    hasAnswer: false,
    queue: [],
    tried: new Set(),
    nextDialAt: now,
    failures: [],
    isWide,
  }
  state.rounds.add(peer)
  if (canAsk) say(state, peer, true, now)
  if (peer.current === null) learn(state, now)
  if (now - peer.candidatesAt < CANDIDATES_FRESH_MS) enqueue(state, peer, peer.round)
}

/** Adds what the other machine said to what is dialed. */
export function enqueue(state: State, peer: Peer, round: Round): void {
  for (const candidate of peer.candidates) {
    const address = addressOf(candidate)
    if (round.tried.has(address) || !isWorthDialing(state, peer, candidate)) continue
    round.tried.add(address)
    round.queue.push(candidate)
  }
  round.queue.sort((one, other) => rankOf(one.kind) - rankOf(other.kind))
}

function isWorthDialing(state: State, { candidates, current, round }: Peer, candidate: Candidate): boolean {
  const { kind, host, port } = candidate
  // A punched address takes a connection only while both ends try at once.
  if (kind === 'punched') return false
  // Not the listener of this machine itself.
  if (state.candidates.some((own) => own.host === host && own.port === port)) return false
  if (current !== null && tierOf(kind) > tierOf(current.kind) - (round?.isWide === true ? 0 : 1)) return false
  if (current !== null && addressOf(current.remote) === addressOf(candidate)) return false
  // Loopback means this computer only to whoever shares an address with it, or has none of its own.
  const ofInterfaces = candidates.filter((other) => isOfInterface(other.kind))
  return kind !== 'local' || ofInterfaces.length === 0 || ofInterfaces.some((other) => state.hosts.has(other.host))
}

const isOfInterface = (kind: CandidateKind): boolean => kind === 'vpn' || kind === 'lan' || kind === 'public'
const isNear = (kind: CandidateKind): boolean => tierOf(kind) === 0

/** Starts what may be started now. */
export function pump(state: State, peer: Peer, round: Round, now: number): void {
  while (round.queue.length > 0 && now >= round.nextDialAt) {
    if (peer.dials.size >= DIALS_PER_MACHINE) return
    if (state.dials.size >= DIALS) {
      wakeBy(peer, now + QUEUE_LOOK_MS)
      return
    }
    dial(state, peer, round.queue.shift() as Candidate)
    round.nextDialAt = now + STAGGER_MS
  }
  if (round.queue.length > 0) wakeBy(peer, round.nextDialAt)
}

export function dial(state: State, peer: Peer, candidate: Candidate): void {
  const id = ++state.lastDial
  peer.dials.set(id, candidate)
  state.dials.set(id, peer)
  const timeoutMs = isNear(candidate.kind) ? DIAL_NEAR_MS : DIAL_FAR_MS
  state.effects.push({ type: 'dial', dial: id, machine: peer.machine, candidate, timeoutMs })
}

/** The dial is over; the next one need not wait for its turn. */
export function dialOver(state: State, peer: Peer, id: number, now: number): Candidate | undefined {
  const candidate = peer.dials.get(id)
  peer.dials.delete(id)
  state.dials.delete(id)
  if (peer.round !== null) peer.round.nextDialAt = now
  return candidate
}

export function abortDials(state: State, peer: Peer, isMeant: (candidate: Candidate) => boolean = () => true): void {
  for (const [id, candidate] of peer.dials) {
    if (!isMeant(candidate)) continue
    peer.dials.delete(id)
    state.dials.delete(id)
    state.effects.push({ type: 'abort', dial: id })
  }
}

/**
 * There is a link: only nearer addresses are dialed on. Only the machine that decides gives up what is under way: the other
 * could end the very link that was decided for.
 */
export function narrow(state: State, peer: Peer, kind: CandidateKind): void {
  const isFarther = (candidate: Candidate): boolean => tierOf(candidate.kind) >= tierOf(kind)
  if (peer.round !== null) peer.round.queue = peer.round.queue.filter((candidate) => !isFarther(candidate))
  if (decides(state, peer)) abortDials(state, peer, isFarther)
}

/** Whether the round has nothing more to wait for. */
export function isOver(peer: Peer, round: Round, now: number): boolean {
  if (round.queue.length > 0 || peer.dials.size > 0) return false
  if (round.hasAnswer || now >= round.answerBy) return true
  // With a link in place the other end's answer is only waited for when it could bring something nearer.
  wakeBy(peer, round.answerBy)
  return false
}

/** Nothing is dialed by it any more; its place is another's. */
export function dropRound(state: State, peer: Peer): void {
  peer.round = null
  state.rounds.delete(peer)
}

/** Ends it and says when the next one may be. */
export function endRound(state: State, peer: Peer, now: number): void {
  const { round } = peer
  if (round === null) return
  dropRound(state, peer)
  if (peer.current === null) peer.relayWhy = whyNot(round, state)
  peer.probeMs = peer.probeMs === 0 ? PROBE_FIRST_MS : Math.min(PROBE_MAX_MS, 2 * peer.probeMs)
  // A little later each, so that a crowd that lost the same thing does not look for it in step.
  peer.probeAt = now + peer.probeMs * (1 + 0.1 * state.entropy.unit())
}

function whyNot({ tried, failures, hasAnswer }: Round, { isOnline }: State): string {
  if (tried.size === 0 && hasAnswer) return 'it has no address that can be dialed from here'
  if (tried.size === 0)
    return isOnline
      ? 'it did not say how it can be reached'
      : 'the control plane is away, which it would be asked through'
  const all = tried.size === 1 ? 'its one address did not answer' : `none of its ${tried.size} addresses answered`
  return failures[0] === undefined ? all : `${all}: ${failures[0]}`
}

/** As if it was never looked for: something changed that gives it a new chance. */
export function probeAnew(peer: Peer, now: number): void {
  peer.probeMs = 0
  peer.probeAt = now
}
