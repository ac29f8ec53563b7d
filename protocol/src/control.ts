/**
 * The control socket: Socket.IO namespace `/machines` at `/api/socket`, between a daemon and the control plane.
 * Frames travel in batches, one emit a tick, because one emit per message costs six times the throughput.
 */
import { z } from 'zod'
import { Envelope, isPlainEnvelope, MachineId, MessageId, Sealed } from './envelope.ts'
import { WireError } from './errors.ts'
import { LinkReport, ReachAnswer, ReachQuery, SignalIn, SignalOut } from './links.ts'
import { AgentName, ChannelName, MachineName, Party, ProjectName } from './names.ts'
import { prefixed } from './prefixed.ts'
import { Ack, DeliveryPath, DeliveryState, Gap, Heard, Hop, Receipt } from './receipt.ts'
import { AgentStatus, Roster, RosterDelta, Signed } from './roster.ts'
import { PublicKey, SealKeys } from './seal-key.ts'
import { CONTROL_VERSION, OLDEST_CONTROL_VERSION } from './versions.ts'

export const SOCKET_PATH = '/api/socket'
export const MACHINES_NAMESPACE = '/machines'
export const DASHBOARD_NAMESPACE = '/dashboard'

/** The daemon's own heartbeat, echoed by the server: engine pings stay alive when an application is dead. */
export const HEARTBEAT_MS = 15_000
/** No echo for this long: reconnect. */
export const HEARTBEAT_DEAD_MS = 40_000
/** A machine session's lease and how often heartbeats renew it. Three missed renewals end it. */
export const LEASE_MS = 90_000
export const LEASE_RENEW_MS = 30_000

/** At most this many envelopes or bytes in one batch; a batch must fit Socket.IO's maxHttpBufferSize (8 MiB here). */
export const MAX_BATCH = 512
export const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** More names than any machine holds; bounds the time under the organization's lock. */
export const MAX_NAMES = 1000
export const MAX_SOCKET_BUFFER_BYTES = 8 * 1024 * 1024

/** Goes in Socket.IO's `auth`; never in a URL. */
export const ControlAuth = z.object({
  v: z.int().positive(),
  key: z.string().min(1).max(200),
  bootId: z.uuid(),
  version: z.string().max(40),
})
export type ControlAuth = z.infer<typeof ControlAuth>

/** The server's first event: prove that this is the linked machine, not only the holder of its key. */
export const Challenge = z.object({ nonce: z.string().min(32).max(128), machineId: MachineId, org: z.string() })
export type Challenge = z.infer<typeof Challenge>

/** What the machine's Ed25519 key signs, as UTF-8: every part by its length, so no part can flow into another. */
export function controlProofText(challenge: Challenge, bootId: string): string {
  return prefixed(['agent-relay/control/v1', challenge.org, challenge.machineId, bootId, challenge.nonce])
}

/** The acknowledgement of `challenge`. */
export const Proof = z.object({
  /** base64url Ed25519 signature of controlProofText. */
  signature: z.string().max(200),
  /** base64url raw public key; must equal the registered one. */
  publicKey: z.string().max(100),
  /** The keys to which messages for this machine are sealed from now on. Since version 3. */
  seals: SealKeys.optional(),
  /** The newest roster of this organization that it has seen; null when none. The next one it believes is not older. Since version 3. */
  rosterVersion: z.int().nonnegative().nullable().optional(),
})
export type Proof = z.infer<typeof Proof>

export const Welcome = z.object({
  /** The version that was asked for, and is spoken from here on. */
  v: z.int().min(OLDEST_CONTROL_VERSION).max(CONTROL_VERSION),
  machine: z.object({ id: MachineId, name: MachineName }),
  person: z.string(),
  roster: Roster,
  /** ms since 1970 on the control plane's clock; for display. */
  now: z.int(),
})
export type Welcome = z.infer<typeof Welcome>
/** The same since version 3: the roster as the organization's control key signed it. */
export const SignedWelcome = Welcome.omit({ roster: true }).extend({
  /** base64url Ed25519. The first one that a machine is told is the one that it believes from then on. */
  controlKey: PublicKey,
  roster: Signed,
})
export type SignedWelcome = z.infer<typeof SignedWelcome>

/** A name this machine holds or wants. `epoch` is the one it was granted before; null asks for a first one. */
export const AgentClaim = z.object({
  name: AgentName,
  epoch: z.int().positive().nullable(),
  status: AgentStatus,
  project: ProjectName.nullable(),
  repository: z.string().max(200).nullable(),
  client: z.string().max(40).nullable(),
  model: z.string().max(80).nullable(),
  capabilities: z.array(z.string().max(40)).max(32),
})
export type AgentClaim = z.infer<typeof AgentClaim>

export const ClaimResult = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), name: AgentName, epoch: z.int().positive() }),
  z.object({ ok: z.literal(false), name: AgentName, error: WireError }),
])
export type ClaimResult = z.infer<typeof ClaimResult>

export const AgentStatusChange = z.object({ name: AgentName, epoch: z.int().positive(), status: AgentStatus })
export type AgentStatusChange = z.infer<typeof AgentStatusChange>

/** What became of a relayed envelope at the relay: put on the recipient's socket, committed to Postgres, or refused. */
export const RelayResult = z.object({
  id: MessageId,
  state: z.enum(['carried', 'stored', 'refused']),
  error: WireError.optional(),
})
export type RelayResult = z.infer<typeof RelayResult>

/** Headers of one message and how far it came, for the dashboard. Reported by the sender's machine. */
export const TraceReport = z.object({
  id: MessageId,
  from: AgentName,
  to: Party,
  toMachine: MachineId,
  via: z.string().max(140).optional(),
  thread: z.string().max(100).optional(),
  sizeBytes: z.int().nonnegative(),
  /** The sender's wall clock at queueing; for display. */
  ts: z.int().nonnegative(),
  state: DeliveryState,
  reason: z.string().max(200).optional(),
  path: DeliveryPath.nullable(),
  /** From queued to accepted, on the sender's monotonic clock. */
  tookMs: z.number().nonnegative().nullable(),
  hops: z.array(Hop).max(32),
  /** The body, sealed to the organization's archive while that is on: protocol/crypto/seal.ts. Since version 3. */
  sealed: Sealed.optional(),
})
export type TraceReport = z.infer<typeof TraceReport>

/** A channel as somebody wrote it, with or without `#`; the control plane says what a name may be. */
const ChannelRef = z
  .string()
  .min(1)
  .max(80)
  .refine((text) => !text.includes('\0'), 'a channel has no NUL in its name')
/** An agent of the asking machine, and a channel that it joins or leaves. Since version 2. */
export const ChannelMembership = z.object({ agent: AgentName, channel: ChannelRef })
export type ChannelMembership = z.infer<typeof ChannelMembership>
export const ChannelJoined = z.object({ channel: ChannelName, isNew: z.boolean() })
export type ChannelJoined = z.infer<typeof ChannelJoined>
export const ChannelLeft = z.object({ channel: ChannelName })
export type ChannelLeft = z.infer<typeof ChannelLeft>

/** One message of a channel's history. */
export const ChannelMessage = z.object({
  id: MessageId,
  /** An agent's name, or `@person`. */
  from: Party,
  /** The sending agent's; null for a person, and for a machine that is gone. */
  fromMachine: z.string().nullable(),
  thread: z.string().optional(),
  replyTo: MessageId.optional(),
  sentAt: z.int(),
  body: z.string(),
})
export type ChannelMessage = z.infer<typeof ChannelMessage>
/** Asks for the newest messages of a channel, or those before one of them. Since version 2. */
export const ChannelHistoryQuery = z.object({
  channel: ChannelRef,
  before: MessageId.optional(),
  limit: z.int().positive().max(50).optional(),
})
export type ChannelHistoryQuery = z.infer<typeof ChannelHistoryQuery>
/** Oldest first; `next` asks for what came before, null at the beginning. */
export const ChannelHistory = z.object({
  channel: ChannelName,
  messages: z.array(ChannelMessage),
  next: MessageId.nullable(),
})
export type ChannelHistory = z.infer<typeof ChannelHistory>

/** Every answer over the control socket is a value or a WireError, never silence. */
export const answerOf = <S extends z.ZodType>(value: S) =>
  z.discriminatedUnion('ok', [
    z.object({ ok: z.literal(true), value }),
    z.object({ ok: z.literal(false), error: WireError }),
  ])
export type Answer<T> = { ok: true; value: T } | { ok: false; error: WireError }
type Reply<T> = (answer: Answer<T>) => void

export const RelayBatch = z.object({ envelopes: z.array(Envelope).min(1).max(MAX_BATCH) })
export type RelayBatch = z.infer<typeof RelayBatch>

/** Whether this is certainly a RelayBatch with nothing beside it, as isPlainEnvelope says it of one envelope. */
export function isPlainBatch(frame: unknown): frame is RelayBatch {
  if (typeof frame !== 'object' || frame === null || Object.keys(frame).length !== 1) return false
  const { envelopes } = frame as { envelopes?: unknown }
  const isOneBatch = Array.isArray(envelopes) && envelopes.length > 0 && envelopes.length <= MAX_BATCH
  return isOneBatch && envelopes.every(isPlainEnvelope)
}

/** Acknowledgements, gaps and receipts of the same tick, in one frame. */
export const ReturnBatch = z.object({
  acks: z.array(Ack).max(MAX_BATCH),
  gaps: z.array(Gap).max(MAX_BATCH),
  receipts: z.array(Receipt).max(MAX_BATCH),
  /** Since version 2. */
  heard: z.array(Heard).max(MAX_BATCH).optional(),
})
export type ReturnBatch = z.infer<typeof ReturnBatch>
/** How a return frame reaches the sender's machine: each item with the machine that said it. */
export const Returned = z.object({ from: MachineId, batch: ReturnBatch })
export type Returned = z.infer<typeof Returned>

export const Done = z.object({ done: z.literal(true) })

type Exchange = { input: z.ZodType; value: z.ZodType }

/** Daemon → control plane: what each event carries, and the value of its answer. */
export const machineFrames = {
  heartbeat: {
    input: z.object({ at: z.number() }),
    /** `fresh`: a Freshness, since version 3. */
    value: z.object({ at: z.number(), now: z.int(), fresh: Signed.optional() }),
  },
  /** All names of this machine after a (re)connect: renews what it holds, claims what it wants, releases the rest. */
  'agents.sync': {
    input: z.object({ agents: z.array(AgentClaim).max(MAX_NAMES) }),
    value: z.object({ results: z.array(ClaimResult) }),
  },
  'agents.claim': { input: z.object({ agent: AgentClaim }), value: z.object({ result: ClaimResult }) },
  'agents.status': { input: z.object({ changes: z.array(AgentStatusChange).max(MAX_NAMES) }), value: Done },
  'agents.release': { input: z.object({ name: AgentName }), value: Done },
  'channels.join': { input: ChannelMembership, value: ChannelJoined },
  'channels.leave': { input: ChannelMembership, value: ChannelLeft },
  'channels.history': { input: ChannelHistoryQuery, value: ChannelHistory },
  /** Signed since version 3. */
  'roster.get': { input: z.object({}), value: z.union([Signed, Roster]) },
  /** This machine changes the keys to which its messages are sealed. */
  'keys.put': { input: z.object({ seals: SealKeys.min(1) }), value: Done },
  /** Refused as NOT_CONNECTED when the other machine is not here. */
  signal: { input: SignalOut, value: Done },
  /** Links that changed; the whole list after a connect. */
  links: { input: z.object({ links: z.array(LinkReport).max(MAX_BATCH), isWhole: z.boolean() }), value: Done },
  'reach.check': { input: ReachQuery, value: ReachAnswer },
  relay: { input: RelayBatch, value: z.object({ results: z.array(RelayResult) }) },
  return: { input: ReturnBatch, value: Done },
  traces: { input: z.object({ traces: z.array(TraceReport).max(1000) }), value: Done },
} as const satisfies Record<string, Exchange>
export type MachineEvents = Events<typeof machineFrames>

/** Control plane → daemon. */
export type ControlEvents = {
  challenge: (challenge: Challenge, reply: (proof: Proof) => void) => void
  /** Signed since version 3, as the roster's changes are. */
  welcome: (welcome: Welcome | SignedWelcome) => void
  roster: (delta: RosterDelta | Signed) => void
  /** Envelopes for this machine, live or from the mailbox. Answered by `return` after the commit, not by this frame's ack. */
  deliver: (batch: RelayBatch) => void
  returned: (returned: Returned) => void
  /** Since version 3. */
  signal: (signal: SignalIn) => void
  /** The last word before the server closes the socket; `KEY_REVOKED`, `IDENTITY_MISMATCH` and `CLONED` end reconnecting. */
  goodbye: (error: WireError) => void
}
export const controlFrames = {
  challenge: Challenge,
  welcome: z.union([SignedWelcome, Welcome]),
  roster: z.union([Signed, RosterDelta]),
  deliver: RelayBatch,
  returned: Returned,
  signal: SignalIn,
  goodbye: WireError,
} as const satisfies { [E in keyof ControlEvents]: z.ZodType<Parameters<ControlEvents[E]>[0]> }

type Events<F extends Record<string, Exchange>> = {
  [E in keyof F]: (input: z.infer<F[E]['input']>, reply: Reply<z.infer<F[E]['value']>>) => void
}

/** Control plane → dashboard. A hint says what to refetch; it never carries state. */
export const DashboardHint = z.object({
  org: z.string(),
  kinds: z.array(z.enum(['agents', 'machines', 'messages', 'org', 'inbox', 'channels', 'network'])),
})
export type DashboardHint = z.infer<typeof DashboardHint>
export type DashboardServerEvents = { hint: (hint: DashboardHint) => void }
export const dashboardFrames = {
  subscribe: { input: z.object({ org: z.string().min(1).max(64) }), value: Done },
} as const satisfies Record<string, Exchange>
export type DashboardClientEvents = Events<typeof dashboardFrames>
