/** What the link manager knows: changed in place by `step`, owned by its caller. */
import type { Candidate, CandidateKind, LinkState } from '@agent-relay/protocol'
import type { KnownMachine, LinkEffect, LinkFacts } from './words.ts'

export type Link = LinkFacts & {
  openedAt: number
  /** Of the newest ping, counted from 1. */
  pings: number
  pingedAt: number
  /** When the first ping since the last word of the other end was sent; Infinity while none is unanswered. */
  unansweredAt: number
  /** From when its silence counts; Infinity while none is unanswered. */
  silentSince: number
  /** Anything came: the other end was there then. */
  heardAt: number
  /** A newer link takes over when this ping is not answered until then. */
  doubt: { n: number; until: number } | null
  /** Round trip of the newest answered ping. */
  latencyMs: number | null
  /** A pong came: it carries both ways. */
  isProven: boolean
}

/** One look for a way to a machine: it is asked, and what it says is dialed, each address once. */
export type Round = {
  startedAt: number
  /** Its answer is waited for until then; -Infinity when there is nobody to ask, or it came. */
  answerBy: number
  hasAnswer: boolean
  queue: Candidate[]
  /** Addresses that were dialed or wait for it. */
  tried: Set<string>
  nextDialAt: number
  failures: string[]
  /** With a link in place: whether addresses of the same tier are worth a look, too. */
  isWide: boolean
}

/** A try of two machines behind routers to meet. Led by the one with the greater key. */
export type Punch = {
  stage: 'asking' | 'dialing' | 'resting'
  attempts: number
  startedAt: number
  /** When the stage is over. */
  at: number
  /** Of the other end, for the stage `dialing`. */
  candidate: Candidate | null
}

/** Everything about the way to one machine. */
export type Peer = KnownMachine & {
  machine: string
  /** As it is told to people. */
  state: LinkState
  since: number
  why: string
  latencyShownMs: number | null
  /** Why it goes by relay while nobody looks for another way. */
  relayWhy: string
  /** The link that carries, and others that are open until it is sure which one stays. */
  current: Link | null
  spares: Link[]
  round: Round | null
  dials: Map<number, Candidate>
  punch: Punch | null
  /** What it said last of how it can be reached. */
  candidates: Candidate[]
  candidatesAt: number
  /** When messages were last sent to it or came from it. */
  trafficAt: number
  /** It is not looked for before; and how long after that it is the next time. */
  probeAt: number
  probeMs: number
  /** When links ended that had lived too short. */
  shorts: number[]
  pausedUntil: number
  /** When it was answered lately, when it made this machine look for it, when it last asked, and when it last wanted to be punched. */
  answers: number[]
  heeds: number[]
  wantedAt: number
  punchedAt: number
  /** When it was asked, until it answers; -Infinity while it was not. And how long it took the last time. */
  askedAt: number
  signalMs: number
  wakeAt: number
}

export type Entropy = {
  /** A new UUID. */
  id(now: number): string
  /** 0 ≤ x < 1. */
  unit(): number
}

export type State = {
  self: string
  publicKey: string
  bootId: string
  entropy: Entropy
  machines: ReadonlyMap<string, KnownMachine>
  peers: Map<string, Peer>
  /** By link, and by dial under way. */
  links: Map<string, Peer>
  dials: Map<number, Peer>
  /** Those with a round: to count them among all at every look would cost as much as there are machines. */
  rounds: Set<Peer>
  lastDial: number
  /** How this machine can be reached, without what is punched. */
  candidates: readonly Candidate[]
  /** Addresses of its own interfaces. */
  hosts: ReadonlySet<string>
  canPunch: boolean
  /** How the control plane sees its shared port, and since when that is known. */
  punched: Candidate | null
  punchedAt: number
  isLearning: boolean
  /** Why no links are made; null while they are. */
  offBecause: string | null
  isOnline: boolean
  signalIds: Set<string>
  touched: Set<Peer>
  effects: LinkEffect[]
  wakeAt: number
}

export const never = Number.NEGATIVE_INFINITY

export function emptyState(facts: Pick<State, 'self' | 'publicKey' | 'bootId' | 'entropy'>): State {
  return {
    ...facts,
    machines: new Map(),
    peers: new Map(),
    links: new Map(),
    dials: new Map(),
    rounds: new Set(),
    lastDial: 0,
    candidates: [],
    hosts: new Set(),
    canPunch: false,
    punched: null,
    punchedAt: never,
    isLearning: false,
    offBecause: 'direct links are not started yet',
    isOnline: false,
    signalIds: new Set(),
    touched: new Set(),
    effects: [],
    wakeAt: Number.POSITIVE_INFINITY,
  }
}

export function newPeer(machine: string, known: KnownMachine, now: number): Peer {
  return {
    ...known,
    machine,
    state: 'relay',
    since: now,
    why: '',
    latencyShownMs: null,
    relayWhy: FIRST_WHY,
    current: null,
    spares: [],
    round: null,
    dials: new Map(),
    punch: null,
    candidates: [],
    candidatesAt: never,
    trafficAt: never,
    probeAt: never,
    probeMs: 0,
    shorts: [],
    pausedUntil: never,
    answers: [],
    heeds: [],
    wantedAt: never,
    punchedAt: never,
    askedAt: never,
    signalMs: 0,
    wakeAt: Number.POSITIVE_INFINITY,
  }
}
const FIRST_WHY = 'every conversation begins by relay'

export const linksOf = (peer: Peer): Link[] => (peer.current === null ? peer.spares : [peer.current, ...peer.spares])

/** Of two machines the one with the greater key decides which of several links stays, so that both end with the same one. */
export const decides = (state: State, peer: Peer): boolean => state.publicKey > peer.publicKey

export const isActive = (peer: Peer, now: number, withinMs: number): boolean => now - peer.trafficAt < withinMs

/** Makes sure that this peer is looked at again at `at` or before. */
export function wakeBy(peer: Peer, at: number): void {
  if (at < peer.wakeAt) peer.wakeAt = at
}

const ranks: Record<CandidateKind, { rank: number; tier: number }> = {
  local: { rank: 0, tier: 0 },
  vpn: { rank: 1, tier: 0 },
  lan: { rank: 2, tier: 0 },
  public: { rank: 3, tier: 1 },
  advertised: { rank: 3, tier: 1 },
  mapped: { rank: 4, tier: 2 },
  punched: { rank: 5, tier: 3 },
}
/** In which order addresses are dialed, the nearest first. */
export const rankOf = (kind: CandidateKind): number => ranks[kind].rank
/** What is worth a change of paths by itself: near, far, by way of a router's favour, by luck. Within a tier latency decides. */
export const tierOf = (kind: CandidateKind): number => ranks[kind].tier
