/** What the core knows: rebuilt from committed rows at every start, changed in place by `step`, owned by its caller. */
import type { AgentStatus, Envelope, ErrorCode, Receipt } from '@agent-relay/protocol'
import type { RosterIndex } from './roster.ts'
import type { AgentRow, LinkIdentity, Reply } from './turn.ts'

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
  isStored: boolean
  /** Its message failed here: it is sent without a body, so that the stream has no hole. */
  isVoid: boolean
}

export type OutStream = {
  id: string
  machine: string
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
}

/** A message refused here, told with every acknowledgement that covers it until the sender must have heard. */
export type Refusal = { seq: number; id: string; reason: ErrorCode; note: string }

type HeldEnvelope = { sizeBytes: number; envelope: Envelope; at: number }

export type InStream = {
  machine: string
  outboxEpoch: string
  stream: string
  next: number
  held: Map<number, HeldEnvelope>
  heldBytes: number
  gapAt: number
  refusals: Refusal[]
}

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
  isUp: boolean
  outStreams: Map<string, OutStream>
  /** Unacknowledged messages to other machines, by id. */
  out: Map<string, OutStream>
  outCount: number
  outBytes: number
  inStreams: Map<string, InStream>
  /** Receipts for other machines that could not go out yet. */
  receipts: Receipt[]
  traffic: Map<string, { sent: number; received: number }>
  /* What this turn still has to look at, once, at its end. */
  touched: Set<LocalAgent>
  grown: Set<OutStream>
  toPump: Set<OutStream>
  toAck: Set<InStream>
  /** When `tick` is due, ms on the clock of `now`; Infinity for never. */
  wakeAt: number
}

export const selfId = (state: State): string => state.identity?.machine.id ?? LOCAL_MACHINE
export const selfName = (state: State): string => state.identity?.machine.name ?? state.hostName
export const selfPerson = (state: State): string => state.identity?.person ?? state.userName

/** Under which epoch messages of this agent may leave now; null until the control plane confirmed the name. */
export function epochOf(state: State, agentKey: string): number | null {
  const agent = state.agents.get(agentKey)
  return state.isUp && agent?.isConfirmed ? agent.epoch : null
}

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
    isUp: false,
    outStreams: new Map(),
    out: new Map(),
    outCount: 0,
    outBytes: 0,
    inStreams: new Map(),
    receipts: [],
    traffic: new Map(),
    touched: new Set(),
    grown: new Set(),
    toPump: new Set(),
    toAck: new Set(),
    wakeAt: Number.POSITIVE_INFINITY,
  }
}
