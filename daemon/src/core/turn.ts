/**
 * The words of the core: events go in, operations for the disk and effects for the world come out. Whoever calls it
 * commits a turn's operations before it lets any of its effects out.
 */
import type {
  AgentClaim,
  AgentStatus,
  ClaimResult,
  DeliveryPath,
  DeliveryState,
  Envelope,
  ErrorCode,
  RelayResult,
  ReturnBatch,
  Returned,
  Roster,
  RosterDelta,
  WireError,
} from '@agent-relay/protocol'

/** Where an answer goes; the core carries it and never looks inside. */
export type Reply = unknown

export type AgentFacts = {
  name: string
  project: string | null
  repository: string | null
  model: string | null
  client: string | null
  capabilities: string[]
}

export type LinkIdentity = {
  machine: { id: string; name: string }
  org: { id: string; slug: string; name: string }
  person: string
}

/** What does not change about a message that an inbox here has. */
export type InHeader = { n: number; id: string; agentKey: string; fromMachine: string | undefined; acceptedAt: number }

/** What the disk knows of a message that was sent from here. */
export type OutHeader = { id: string; fromAgent: string; toAgent: string; machine: string; state: DeliveryState }

/** A message sent from here that failed, as the disk has it. */
export type DeadLetter = {
  n: number
  id: string
  /** Who sent it, by name. */
  from: string
  /** The address to send it to again: that of this one copy, also when it was part of a broadcast. */
  to: string
  body: string
  sizeBytes: number
  thread: string | null
  replyTo: string | null
  /** The time to live that it was given. */
  ttlMs: number
  /** `open` until somebody retried or dropped it. */
  dead: 'open' | 'retried' | 'dropped'
  /** The message that was sent in its place. */
  retriedAs: string | null
}

export type SendEvent = {
  type: 'send'
  reply: Reply
  /** When it was asked for, ms on the clock of `now`; without it the time of its turn. */
  at?: number
  from: string
  to: string
  body: string
  /** Bytes of the body in UTF-8. */
  sizeBytes: number
  thread?: string | undefined
  replyTo?: string | undefined
  ttlMs?: number | undefined
}

export type CoreEvent =
  | SendEvent
  | { type: 'register'; reply: Reply; facts: AgentFacts; tokenHash: string; isPerson: boolean }
  /** Somebody takes this agent's messages from now on (again): what is not marked is pushed anew. */
  | { type: 'receiver'; agent: string; isOn: boolean }
  | { type: 'presence'; agent: string; isOn: boolean }
  | { type: 'status'; agent: string; status: AgentStatus }
  /** `known`: headers of those ids that may have left the core's memory. */
  | { type: 'mark'; reply: Reply; agent: string; ids: string[]; state: 'injected' | 'seen'; known: InHeader[] }
  | { type: 'linked'; identity: LinkIdentity | null }
  /** `now`: the control plane's clock in ms since 1970, for display. */
  /** `isUnsigned`: by a version that signs no rosters. */
  | { type: 'up'; roster: Roster; now?: number; isUnsigned?: boolean }
  | { type: 'down' }
  /** A direct link to this machine, proved on both sides, came up or went down. */
  | { type: 'peer'; machine: string; isUp: boolean }
  | { type: 'roster'; roster: Roster }
  | { type: 'delta'; delta: RosterDelta }
  /** The roster that came last was the newest at `at`, the control plane's clock in ms since 1970. */
  | { type: 'fresh'; at: number }
  | { type: 'claims'; results: ClaimResult[] }
  /** `peer`: the machine at the other end of the direct link by which they came; without it they came by the relay. */
  | { type: 'deliver'; envelopes: Envelope[]; peer?: string }
  /**
   * An envelope of `machine` came that cannot be read here: not sealed as it must be, or to keys that are gone. It counts as
   * not come. `peer` as in `deliver`.
   */
  | { type: 'unreadable'; machine: string; outboxEpoch: string; stream: string; seq: number; peer?: string }
  /** `known`: the headers of those of its failed messages that left the core's memory, read when the frame came. */
  | { type: 'returned'; returned: Returned; known: OutHeader[] }
  /** The relay's answer to a `relay` effect; an error when the whole batch was not taken. */
  | { type: 'relayed'; ids: string[]; results: RelayResult[] | null }
  /** Its agent's adapter tried to hand these over and gave them up; `note` says why in words for their senders. */
  | { type: 'giveUp'; reply: Reply; agent: string; ids: string[]; note: string }
  /** Sends a dead letter again as a new message; asked twice it answers with the same one. `letter`: undefined when there is none. */
  | { type: 'retry'; reply: Reply; id: string; letter: DeadLetter | undefined }
  /** Forgets a dead letter; asked twice it is forgotten all the same. */
  | { type: 'drop'; reply: Reply; id: string; letter: DeadLetter | undefined }
  | { type: 'tick' }

export type SentView = { id: string; agent: string; machine: string; state: DeliveryState; note: string }

export type Answer =
  | { type: 'sent'; id: string; messages: SentView[] }
  | { type: 'registered'; name: string; epoch: number | null; claim: 'granted' | 'pending' | 'local' }
  | { type: 'marked'; marked: number }
  /** `as`: the new message in the dead letter's place. */
  | { type: 'retried'; id: string; as: string }
  | { type: 'dropped'; id: string }
  | { type: 'error'; error: WireError }

export type Outgoing = {
  n: number
  id: string
  stream: string
  seq: number
  epoch: number
  ttlMs: number
  machine: string
  fromKey: string
  toKey: string
  isVoid: boolean
}

export type Effect =
  | { type: 'answer'; reply: Reply; answer: Answer }
  /** Push message `n` to whoever receives for this agent. */
  | { type: 'deliver'; agent: string; n: number; id: string; isRepeat: boolean }
  | { type: 'relay'; messages: Outgoing[] }
  /** The same by the direct link to this machine. What does not get through is sent again when the link is said to be down. */
  | { type: 'direct'; machine: string; messages: Outgoing[] }
  /** Acknowledgements, gaps, receipts and answers to receipts by the relay, each with the machine that it is for. */
  | { type: 'return'; batch: ReturnBatch }
  /** The same by the direct link to this machine. */
  | { type: 'directReturn'; machine: string; batch: ReturnBatch }
  | { type: 'claim'; agent: AgentClaim }
  | { type: 'status'; name: string; epoch: number; status: AgentStatus }
  /** Nothing runs under this name any more: any machine may have it. */
  | { type: 'release'; name: string }
  /** A person's name was changed because somebody else has it. */
  | { type: 'renamed'; from: string; to: string }
  /**
   * A message sent from here came further, for those who wait for it and for the dashboard. `isHearsay`: a machine says so of
   * a message that left the core's memory; it is true when its row says so too.
   */
  | { type: 'progress'; id: string; state: DeliveryState; isHearsay?: true }
  | { type: 'log'; level: 'info' | 'warn'; text: string }

/** `out` was sent from here to another machine, `in` came from one, `local` stays here and is both. */
export type Way = 'out' | 'in' | 'local'

export type MessageRow = {
  n: number
  id: string
  way: Way
  state: DeliveryState
  fromAgent: string
  fromMachine: string
  fromPerson: string | null
  fromProject: string | null
  toAgent: string
  toMachine: string
  project: string | null
  via: string | null
  thread: string | null
  replyTo: string | null
  stream: string | null
  seq: number | null
  trace: string | null
  /** ms since 1970: what the sender's clock said at queueing. */
  ts: number
  /** ms since 1970 on this machine: asked for here, or accepted here. */
  at: number
  expiresAt: number
  body: string
  sizeBytes: number
  reason: string | null
  /** The dead letter in whose place it was sent. */
  retryOf: string | null
}

export type AgentRow = AgentFacts & {
  tokenHash: string
  isPerson: boolean
  epoch: number | null
  claim: 'local' | 'pending' | 'granted' | 'refused'
  lastSeenAt: number | null
  pushedTo: number
}

export type Op =
  | { op: 'message'; row: MessageRow }
  /** `isOpen`: something still has to happen with it after a restart. */
  | {
      op: 'state'
      n: number
      state: DeliveryState
      at: number
      isOpen: boolean
      /** When the commit that accepted it was done, of a message that stayed here. */
      acceptedAt?: number
      path?: DeliveryPath
      reason?: ErrorCode
      note?: string
    }
  /** A later word about a message sent from here, by its id; ignored unless it says more than is known. */
  | { op: 'receipt'; id: string; machine: string; state: DeliveryState; at: number; reason?: ErrorCode; note?: string }
  | { op: 'attempt'; n: number; at: number; attempts: number; path: DeliveryPath }
  /** The state of this message, from another machine, is to be said to that until it is answered. */
  | { op: 'owed'; n: number }
  /** It was answered, or is given up. Losing this only causes a repeat. */
  | { op: 'told'; ns: number[] }
  /** What became of a dead letter; `as` is the message sent in its place. */
  | { op: 'dead'; n: number; state: 'retried' | 'dropped'; as: string | null }
  | { op: 'void-done'; n: number }
  | { op: 'move'; n: number; machine: string; stream: string; seq: number }
  | { op: 'sender'; n: number; agent: string }
  | { op: 'stream'; id: string; machine: string; next: number; sentTo: number }
  | { op: 'watermark'; machine: string; outboxEpoch: string; stream: string; next: number }
  | { op: 'agent'; row: AgentRow }
  | { op: 'agent-gone'; name: string }
  /** Everything up to `n` was handed to a receiver of this agent at least once. */
  | { op: 'pushed'; name: string; n: number }
  | { op: 'meta'; key: 'roster' | 'identity' | 'freshness'; value: string | null }

/** What a batch of events leads to. */
export type Turn = {
  now: number
  ops: Op[]
  effects: Effect[]
  /**
   * Whether an effect stands for an operation. Without it the operations may be committed later or lost: they then only
   * cause a repeat that says so.
   */
  mustCommit: boolean
}

export const newTurn = (now: number): Turn => ({ now, ops: [], effects: [], mustCommit: false })

/** Records what must be on disk before this turn's effects go out. */
export function must(turn: Turn, op: Op): void {
  turn.ops.push(op)
  turn.mustCommit = true
}

export const answer = (turn: Turn, reply: Reply, value: Answer): void => {
  turn.effects.push({ type: 'answer', reply, answer: value })
}

export const refuse = (turn: Turn, reply: Reply, error: WireError): void =>
  answer(turn, reply, { type: 'error', error })
