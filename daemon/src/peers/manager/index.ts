/**
 * The link manager without I/O: which direct links this machine has and wants. Events in, effects out; clock and randomness
 * come from outside, so that the simulator runs exactly this code. It begins and ends with the relay, and never waits for a link.
 */
import type { Candidate } from '@agent-relay/protocol'
import type { PeerView } from '../transport.ts'
import { closeAll, ended, newcomer } from './choose.ts'
import { ACTIVE_MS, ANSWER_MS, ASKED_MS, HEEDS, LATE_MS, SIGNAL_IDS } from './limits.ts'
import { isForgettable, look, viewOf } from './look.ts'
import { doubt, forgive, heard, ping, pong } from './pings.ts'
import { joinPunch, punchFailed, tryPunch } from './punch.ts'
import { abortDials, dialOver, dropRound, enqueue, probeAnew, startRound } from './rounds.ts'
import { answer, say, takeCandidates } from './signals.ts'
import { type Entropy, emptyState, isActive, newPeer, type Peer, type State, tierOf } from './state.ts'
import { addressOf, type KnownMachine, type LinkEffect, type LinkEvent, type LinkSignal } from './words.ts'

export type { Entropy } from './state.ts'
export type { KnownMachine, LinkEffect, LinkEvent } from './words.ts'

export type Links = {
  /** What these events lead to. `now` is in ms and never goes back; the effects are to be carried out in their order. */
  step(events: readonly LinkEvent[], now: number): LinkEffect[]
  /** When a `tick` is due; Infinity for never. */
  readonly wakeAt: number
  /** One for every machine that this one lately dealt with. */
  views(): PeerView[]
  /** The link that carries; null while messages to that machine go by relay. */
  linkOf(machine: string): string | null
}

/** `self` is this machine's id, `publicKey` its identity, `bootId` a UUID of this run. */
export function createLinks(facts: { self: string; publicKey: string; bootId: string; entropy: Entropy }): Links {
  const state = emptyState(facts)

  function step(events: readonly LinkEvent[], now: number): LinkEffect[] {
    // This process stood still: nobody could answer it, so nobody is dead for that.
    if (now - state.wakeAt > LATE_MS)
      for (const peer of state.peers.values()) if (peer.current !== null) forgive(state, peer, now)
    for (const event of events) apply(state, event, now)
    for (const peer of state.peers.values()) if (peer.wakeAt <= now) state.touched.add(peer)
    for (const peer of state.touched) if (state.peers.get(peer.machine) === peer) look(state, peer, now)
    state.touched.clear()
    state.wakeAt = Number.POSITIVE_INFINITY
    for (const peer of state.peers.values()) state.wakeAt = Math.min(state.wakeAt, peer.wakeAt)
    const { effects } = state
    state.effects = []
    return effects
  }

  return {
    step,
    get wakeAt() {
      return state.wakeAt
    },
    views: () => [...state.peers.values()].map(viewOf),
    linkOf: (machine) => state.peers.get(machine)?.current?.id ?? null,
  }
}

function apply(state: State, event: LinkEvent, now: number): void {
  switch (event.type) {
    case 'roster':
      takeRoster(state, event.machines, now)
      break
    case 'allowed':
      allow(state, event.offBecause, now)
      break
    case 'online':
      state.isOnline = event.isOnline
      if (event.isOnline) for (const peer of state.peers.values()) if (peer.current === null) tryAnew(state, peer, now)
      break
    case 'candidates':
      ownChanged(state, event, now)
      break
    case 'punched':
      learned(state, event.candidate, now)
      break
    case 'woke':
      woke(state, now)
      break
    case 'demand': {
      const peer = peerOf(state, event.machine, now)
      if (peer !== undefined) peer.trafficAt = now
      break
    }
    case 'dialed':
    case 'undialed':
      dialEnded(state, event, now)
      break
    case 'opened':
      arrived(state, peerOf(state, event.link.machine, now), event.link, now)
      break
    case 'closed':
      onLink(state, event.link, (peer, link) => ended(state, peer, link, event.why, now))
      break
    case 'heard':
      onLink(state, event.link, (_, link) => heard(link, now))
      break
    case 'pong':
      onLink(state, event.link, (_, link) => pong(link, event.n, now))
      break
    case 'signal':
      signaled(state, event.machine, event.signal, now)
      break
    case 'unsignaled':
      unsignaled(state, event.machine, event.why, now)
      break
    case 'tick':
      for (const peer of state.peers.values()) if (isForgettable(peer, now)) state.peers.delete(peer.machine)
  }
}

const touch = (state: State, peer: Peer): void => void state.touched.add(peer)

function tryAnew(state: State, peer: Peer, now: number): void {
  probeAnew(peer, now)
  touch(state, peer)
}

/** What is known of the way to a machine of the roster; undefined for any other. */
function peerOf(state: State, machine: string, now: number): Peer | undefined {
  const known = state.machines.get(machine)
  if (known === undefined) return undefined
  let peer = state.peers.get(machine)
  if (peer === undefined) {
    peer = newPeer(machine, known, now)
    state.peers.set(machine, peer)
  }
  touch(state, peer)
  return peer
}

function onLink(state: State, id: string, then: (peer: Peer, link: NonNullable<Peer['current']>) => void): void {
  const peer = state.links.get(id)
  const link = peer?.current?.id === id ? peer.current : peer?.spares.find((spare) => spare.id === id)
  if (peer === undefined || link === undefined) return
  touch(state, peer)
  then(peer, link)
}

function takeRoster(state: State, machines: ReadonlyMap<string, KnownMachine>, now: number): void {
  state.machines = machines
  for (const peer of state.peers.values()) {
    const known = machines.get(peer.machine)
    if (known === undefined || known.publicKey !== peer.publicKey) {
      give(state, peer, 'it is not in the organization any more')
      state.peers.delete(peer.machine)
      state.effects.push({ type: 'changed', machine: peer.machine })
      continue
    }
    const isBack = (known.isOnline && !peer.isOnline) || (known.canBeAsked && !peer.canBeAsked)
    Object.assign(peer, known)
    if (isBack && peer.current === null) tryAnew(state, peer, now)
  }
}

/** Ends everything that there is with this machine. */
function give(state: State, peer: Peer, why: string): void {
  abortDials(state, peer)
  closeAll(state, peer, why)
  dropRound(state, peer)
  peer.punch = null
}

function allow(state: State, offBecause: string | null, now: number): void {
  if (state.offBecause === offBecause) return
  state.offBecause = offBecause
  for (const peer of state.peers.values()) {
    if (offBecause !== null) give(state, peer, offBecause)
    tryAnew(state, peer, now)
  }
}

function ownChanged(state: State, event: Extract<LinkEvent, { type: 'candidates' }>, now: number): void {
  state.candidates = event.candidates
  state.hosts = new Set(event.hosts)
  state.canPunch = event.canPunch
  if (event.isNew) {
    state.punched = null
    for (const peer of state.peers.values()) moved(state, peer, now)
  } else
    for (const peer of state.peers.values())
      if (peer.round !== null || peer.current !== null || isActive(peer, now, ACTIVE_MS)) say(state, peer, false, now)
}

/** This machine is in another network: what broke before may work, what works may be broken. */
function moved(state: State, peer: Peer, now: number): void {
  peer.pausedUntil = now
  peer.shorts = []
  probeAnew(peer, now)
  touch(state, peer)
  for (const link of peer.current === null ? [] : [peer.current, ...peer.spares]) ping(state, link, now)
  peer.punch = null
  if (peer.current === null && peer.round === null) return
  abortDials(state, peer)
  if (state.offBecause === null && peer.canBeAsked) startRound(state, peer, now, true)
}

function woke(state: State, now: number): void {
  state.punched = null
  for (const peer of state.peers.values()) {
    forgive(state, peer, now)
    tryAnew(state, peer, now)
  }
}

function dialEnded(state: State, event: Extract<LinkEvent, { type: 'dialed' | 'undialed' }>, now: number): void {
  const peer = state.dials.get(event.dial)
  if (peer === undefined) {
    // It was given up while it succeeded.
    if (event.type === 'dialed')
      state.effects.push({ type: 'close', link: event.link.id, why: 'it is not needed any more' })
    return
  }
  touch(state, peer)
  const candidate = dialOver(state, peer, event.dial, now)
  if (event.type === 'dialed') arrived(state, peer, event.link, now)
  else if (candidate?.kind === 'punched') punchFailed(peer, now)
  else peer.round?.failures.push(event.why)
}

function arrived(
  state: State,
  peer: Peer | undefined,
  link: Extract<LinkEvent, { type: 'opened' }>['link'],
  now: number,
): void {
  if (peer === undefined)
    state.effects.push({ type: 'close', link: link.id, why: 'no such machine in the organization' })
  else newcomer(state, peer, link, now)
}

function learned(state: State, candidate: State['punched'], now: number): void {
  state.isLearning = false
  state.punched = candidate
  state.punchedAt = now
  if (candidate === null) return
  for (const peer of state.peers.values()) {
    const isWaitedFor = peer.current === null && (peer.round !== null || now - peer.wantedAt < ANSWER_MS)
    if (isWaitedFor) say(state, peer, false, now)
    tryPunch(state, peer, now)
    touch(state, peer)
  }
}

function signaled(state: State, machine: string, signal: LinkSignal, now: number): void {
  const peer = peerOf(state, machine, now)
  // Whoever carries signals can play one again: each is heard once.
  if (peer === undefined || state.signalIds.has(signal.id)) return
  state.signalIds.add(signal.id)
  if (state.signalIds.size > SIGNAL_IDS) state.signalIds.delete(state.signalIds.values().next().value as string)
  // Its program was started anew and this end does not know it; or this is an old signal, and then the link answers.
  if (peer.current !== null && peer.current.bootId !== signal.bootId) doubt(state, peer.current, now)
  if (signal.type === 'punch') {
    joinPunch(state, peer, signal.candidate, now)
    return
  }
  const isNews = hasNews(peer, signal.candidates)
  takeCandidates(peer, signal.candidates, now)
  if (peer.round !== null) {
    peer.round.hasAnswer = true
    enqueue(state, peer, peer.round)
  }
  tryPunch(state, peer, now)
  if (signal.wants) {
    peer.wantedAt = now
    answer(state, peer, now)
  }
  // What it found out after it was looked for, such as that its public address is open, is worth another look.
  const isGain = isNews && peer.current === null
  if (signal.wants || isGain) heed(state, peer, isGain, now)
}

/** Whether it can be reached in a way that it did not say before. */
function hasNews(peer: Peer, candidates: readonly Candidate[]): boolean {
  const known = new Set(peer.candidates.map(addressOf))
  return candidates.some((candidate) => candidate.kind !== 'punched' && !known.has(addressOf(candidate)))
}

/** There is nobody to ask: what is known of it is all that there is. */
function unsignaled(state: State, machine: string, why: string, now: number): void {
  const peer = state.peers.get(machine)
  if (peer?.round == null) return
  peer.round.answerBy = now
  peer.round.failures.unshift(why)
  touch(state, peer)
}

/** It looks for this machine, or has a new address (`isGain`): both look, whatever this one's own clock says. */
function heed(state: State, peer: Peer, isGain: boolean, now: number): void {
  peer.heeds = peer.heeds.filter((at) => now - at < ASKED_MS)
  if (peer.heeds.length >= HEEDS || now < peer.pausedUntil || state.offBecause !== null) return
  const canGain = peer.current === null || tierOf(peer.current.kind) > 0
  if (peer.round !== null || (peer.punch !== null && !isGain) || !canGain || !peer.canBeAsked) return
  peer.heeds.push(now)
  // Meeting through routers is for those who cannot be dialed: a new address comes first, and then it begins anew.
  peer.punch = null
  startRound(state, peer, now)
}
