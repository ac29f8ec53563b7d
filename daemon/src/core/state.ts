/** What the core knows: rebuilt from committed rows at every start, changed in place by `step`, owned by its caller. */
import type { AgentStatus, Envelope, ErrorCode } from '@agent-relay/protocol'
import type { RosterIndex } from './roster.ts'
import type { AgentRow, LinkIdentity, Outgoing, Reply } from './turn.ts'

/** The id of this machine as long as it is linked to nothing. */
export const LOCAL_MACHINE = 'local'

/** A message that waits here for its agent. */
export type InEntry = {
  n: number
  id: string
  sizeBytes: number
  /** The machine to which receipts go; undefined when the sender is on this one. */
  fromMachine: string | undefined
  /** The sending agent's name key when it is on this machine. */
  fromKey: string | undefined
  acceptedAt: number
  expiresAt: number
  isPushed: boolean
  /** It was handed over before without evidence that it arrived. */
  isRepeat: boolean
}

export type LocalAgent = AgentRow & {
  key: string
  hasReceiver: boolean
  /** The control plane said on this connection that the name is held under this epoch. */
  isConfirmed: boolean
  isPresent: boolean
  status: AgentStatus
  /** By id, oldest first: accepted and not marked. */
  waiting: Map<string, InEntry>
  /** Not yet pushed to the present receiver, oldest first; those already marked otherwise are skipped. */
  unpushed: InEntry[]
  inFlight: number
  inFlightBytes: number
  /** Registrations that wait for the control plane's word on the name. */
  claimants: { reply: Reply; until: number }[]
}

/** A message of a stream to another machine, until that machine has accepted it. */
export type OutEntry = {
  n: number
  id: string
  seq: number
  sizeBytes: number
  expiresAt: number
  queuedAt: number
  attempts: number
  /** How the newest attempt went; null before the first one of this run. */
  path: Path | null
  /** Under way by its machine's link: it takes room there until it is acknowledged, stored or failed. */
  isOnLink: boolean
  isStored: boolean
  /** Its message failed here: it is sent without a body, so that the stream has no hole. */
  isVoid: boolean
}

/** How messages leave this machine. */
export type Path = 'relay' | 'direct'

/** Everything that is under way to one other machine; one path at a time, so one bound. */
export type OutLink = {
  machine: string
  /** A direct link is up; without one the relay is the way. */
  isDirect: boolean
  bytes: number
  /** Streams that found no room, the one to go on first at the front. */
  waiting: Set<OutStream>
}

export type OutStream = {
  id: string
  machine: string
  link: OutLink
  fromKey: string
  toKey: string
  nextSeq: number
  /** Every place below may have left this machine, as its disk knows; such a place is never given to another message. */
  sentTo: number
  /** Unacknowledged, by ascending seq without gaps. */
  entries: OutEntry[]
  /** How many of `entries` are in flight. */
  sent: number
  sentBytes: number
  retries: number
  retryAt: number
  /** Of what the cloud stores, the place that was sent by this direct link all the same, as a question; -1 for none. */
  askedSeq: number
  /** The recipient asked for more: it gets empty places too, which are otherwise sent only before a message. */
  isAskedFor: boolean
  /** The recipient asked for what it lacks; asked again before this it is the same question. */
  gapHeardAt: number
}

/** A message refused here, told with every acknowledgement that covers it until the sender must have heard. */
export type Refusal = { seq: number; id: string; reason: ErrorCode; note: string }

type HeldEnvelope = { sizeBytes: number; envelope: Envelope; at: number }

export type InStream = {
  machine: string
  outboxEpoch: string
  stream: string
  /** Everything before it is on this machine's disk. */
  next: number
  held: Map<number, HeldEnvelope>
  heldBytes: number
  /** The furthest place of which something came that could not be read; -1 for none. */
  unreadTo: number
  /** The furthest place of which something came too early by the relay, whose mailbox may keep it; -1 for none. */
  relayedTo: number
  gapAt: number
  /** How often the same hole was asked for. */
  gapAsks: number
  refusals: Refusal[]
}

export type ReceiptState = 'injected' | 'seen' | 'failed'

/** A receipt that its sender's machine has not answered yet. */
export type Owed = {
  n: number
  id: string
  state: ReceiptState
  reason?: ErrorCode
  note?: string
  /** ms between the commit here and this state. */
  afterMs?: number
  tries: number
  saidAt: number
}

/** What one machine has to be told again until it answers. One clock per machine, not per message. */
export type Debt = {
  machine: string
  owed: Map<string, Owed>
  /** To be said in this turn. */
  fresh: Owed[]
  /** Rounds without an answer. */
  misses: number
  /** The next round is for a path that came up, and says nothing of who answers. */
  isReminder: boolean
  /** When the next round is due; Infinity while nothing is owed, or nobody is there to hear. */
  sayAt: number
}

/** How new the roster is, see freshness.ts. */
export type Freshness = {
  /** When the roster was last the newest, ms on the clock of `now`; null when nobody said so. */
  at: number | null
  /** The least that a statement was ever behind `now`: what the two clocks differ by, and the quickest way. Infinity before the first. */
  lagMs: number
  /** Of `at`, what the disk has. */
  writtenAt: number
}

export const unconfirmed = (): Freshness => ({
  at: null,
  lagMs: Number.POSITIVE_INFINITY,
  writtenAt: Number.NEGATIVE_INFINITY,
})

/** Randomness from outside, so that a run can be repeated. */
export type Entropy = {
  /** A new UUIDv7; later ones sort later. */
  id(now: number): string
  /** 0 ≤ x < 1. */
  unit(): number
}

export type State = {
  entropy: Entropy
  outboxEpoch: string
  /** What this machine is called while it is not linked. */
  hostName: string
  userName: string
  identity: LinkIdentity | null
  nextN: number
  agents: Map<string, LocalAgent>
  roster: RosterIndex | null
  /** When the roster was last confirmed. */
  freshness: Freshness
  /** Connected to the control plane. */
  isUp: boolean
  /** How far the control plane's clock is ahead of `now`, for what it says of times; for display only. */
  cloudAheadMs: number
  links: Map<string, OutLink>
  outStreams: Map<string, OutStream>
  /** Unacknowledged messages to other machines, by id. */
  out: Map<string, OutStream>
  outCount: number
  outBytes: number
  inStreams: Map<string, InStream>
  /** Those that wait for a missing message. */
  gaps: Set<InStream>
  heldCount: number
  heldBytes: number
  debts: Map<string, Debt>
  owedCount: number
  /** Receipts that are on disk with this turn's or the next commit, and are then answered: by machine, by message. */
  heard: Map<string, Map<string, ReceiptState>>
  hearAt: number
  /** Messages whose sender was told of a failure that the disk may not show yet to whoever read it before; the newest ones. */
  failedLately: Set<string>
  /** Dead letters settled here, for the same reason: the new message's id, or null for dropped. */
  settledLately: Map<string, string | null>
  traffic: Map<string, { sent: number; received: number }>
  /* What this turn still has to look at, once, at its end. */
  touched: Set<LocalAgent>
  grown: Set<OutStream>
  toPump: Set<OutStream>
  /** Whether the relay must hear it too, because its mailbox may hold what is acknowledged. */
  toAck: Map<InStream, boolean>
  /** Lacks so much that it asks at once. */
  toAsk: Set<InStream>
  strangers: Map<string, InStream>
  cargo: Cargo
  /** When `tick` is due, ms on the clock of `now`; Infinity for never. */
  wakeAt: number
}

/** What leaves with this turn, by path. */
export type Cargo = { relay: Outgoing[]; direct: Map<string, Outgoing[]> }

export const selfId = (state: State): string => state.identity?.machine.id ?? LOCAL_MACHINE
export const selfName = (state: State): string => state.identity?.machine.name ?? state.hostName
export const selfPerson = (state: State): string => state.identity?.person ?? state.userName

/** Makes sure that `tick` comes at `at` or before. */
export function wakeBy(state: State, at: number): void {
  if (at < state.wakeAt) state.wakeAt = at
}

export function newAgent(row: AgentRow, key: string): LocalAgent {
  return {
    ...row,
    key,
    hasReceiver: false,
    isConfirmed: false,
    isPresent: false,
    status: 'offline',
    waiting: new Map(),
    unpushed: [],
    inFlight: 0,
    inFlightBytes: 0,
    claimants: [],
  }
}

export function emptyState(facts: {
  entropy: Entropy
  outboxEpoch: string
  hostName: string
  userName: string
}): State {
  return {
    ...facts,
    identity: null,
    nextN: 1,
    agents: new Map(),
    roster: null,
    freshness: unconfirmed(),
    isUp: false,
    cloudAheadMs: 0,
    links: new Map(),
    outStreams: new Map(),
    out: new Map(),
    outCount: 0,
    outBytes: 0,
    inStreams: new Map(),
    gaps: new Set(),
    heldCount: 0,
    heldBytes: 0,
    debts: new Map(),
    owedCount: 0,
    heard: new Map(),
    hearAt: Number.POSITIVE_INFINITY,
    failedLately: new Set(),
    settledLately: new Map(),
    traffic: new Map(),
    touched: new Set(),
    grown: new Set(),
    toPump: new Set(),
    toAck: new Map(),
    toAsk: new Set(),
    strangers: new Map(),
    cargo: { relay: [], direct: new Map() },
    wakeAt: Number.POSITIVE_INFINITY,
  }
}

/** Whether any message waits here, so that its time to live runs. */
export const hasMail = (state: State): boolean =>
  state.outCount > 0 || [...state.agents.values()].some((agent) => agent.waiting.size > 0)
