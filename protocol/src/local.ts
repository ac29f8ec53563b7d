/**
 * The local socket: newline-delimited JSON between the daemon and agents, CLI or SDK of the same user, in any language.
 * `hello` → `welcome`; then requests with an `id`, each answered by one `ok` or `error`; pushes come at any time.
 */
import { z } from 'zod'
import { ChannelHistory, ChannelHistoryQuery } from './control.ts'
import { MAX_TTL_MS, MachineId, Message, MessageId } from './envelope.ts'
import { ErrorCode } from './errors.ts'
import { Candidate, CandidateKind, LinkState } from './links.ts'
import { AgentName, Party, ProjectName } from './names.ts'
import { DeliveryPath, DeliveryState, Hop } from './receipt.ts'
import { AgentStatus } from './roster.ts'
import { LOCAL_VERSION, OLDEST_LOCAL_VERSION } from './versions.ts'

export { LOCAL_VERSION, OLDEST_LOCAL_VERSION }

/** A line longer than this closes the connection: body limit plus JSON's worst escaping of it. */
export const MAX_LINE_BYTES = 2 * 1024 * 1024

/* Client → daemon */

export const Hello = z.object({
  type: z.literal('hello'),
  v: z.int().positive(),
  /** Program and version, such as `cli/0.1.0`. */
  client: z.string().max(80),
  /** Speaks as this agent; the token was given when the name was registered on this machine. Without it: the person. */
  agent: z.object({ name: AgentName, token: z.string().min(1).max(200) }).optional(),
})

const request = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.object({ type: z.literal(type), id: z.int().nonnegative(), ...shape })

/** Takes a name on this machine; the connection speaks as it from then on. The same machine may take it again at once. */
export const Register = request('register', {
  name: AgentName,
  project: ProjectName.optional(),
  repository: z.string().max(200).optional(),
  model: z.string().max(80).optional(),
  client: z.string().max(40).optional(),
  capabilities: z.array(z.string().max(40)).max(32).optional(),
})
export const Send = request('send', {
  to: z.string().max(200),
  body: z.string(),
  thread: z.string().min(1).max(100).optional(),
  replyTo: MessageId.optional(),
  ttlMs: z.int().positive().max(MAX_TTL_MS).optional(),
})
/** Answers when every message has reached `state` or failed, or after `timeoutMs` with what is known. */
export const Wait = request('wait', {
  ids: z.array(MessageId).min(1).max(1000),
  state: z.enum(['stored', 'accepted', 'injected', 'seen']),
  timeoutMs: z.int().nonnegative().max(3_600_000),
})
/** From now on this connection gets `deliver` pushes for its agent, first what already waits. */
export const Subscribe = request('subscribe', {})
/** Evidence that messages were handed over (`injected`) or read (`seen`). */
export const Mark = request('mark', { ids: z.array(MessageId).min(1).max(1000), state: z.enum(['injected', 'seen']) })
export const Inbox = request('inbox', {
  agent: AgentName.optional(),
  /** Messages after this id only, for following. */
  after: MessageId.optional(),
  limit: z.int().positive().max(1000).optional(),
  /** Record that they were read; the default when an agent reads its own inbox. */
  markSeen: z.boolean().optional(),
})
/**
 * What was sent and received on this machine, newest last; an agent's connection gets its own part of it. `search` are words
 * that must all be in the text, in any order; quotes hold a phrase together.
 */
export const History = request('history', {
  search: z.string().max(500).optional(),
  /** An agent, a channel as `#name` or a person as `@name`: sender, recipient or the address. */
  with: z.string().min(1).max(200).optional(),
  thread: z.string().min(1).max(100).optional(),
  /** Only what is older than this message, for paging. */
  before: MessageId.optional(),
  limit: z.int().positive().max(1000).optional(),
})
/** A message's id, or the beginning of it. */
const MessageText = z.string().min(4).max(64)
/** One message whole. Its own recipient is taken to have seen it. */
export const Read = request('read', { message: MessageText })
/** What was sent from this machine, failed, and was neither retried nor dropped; newest last. */
export const Dead = request('dead', { limit: z.int().positive().max(1000).optional() })
/** Sends a dead letter again as a new message; asked twice it answers with the same one. */
export const DeadRetry = request('dead.retry', { message: MessageText })
/** Forgets a dead letter, or all of them. It stays in the history, and what failed stays failed. */
export const DeadDrop = request('dead.drop', { message: MessageText.optional() })
export const Agents = request('agents', {})
export const Whoami = request('whoami', {})
export const Status = request('status', {})
export const Trace = request('trace', { message: MessageText })
/**
 * Asks another machine once whether it answers, by the way that messages take now, which also begins the search for a direct
 * link. Answers after 5 s at the latest, also when nobody did.
 */
export const Ping = request('ping', {
  /** An agent or a machine. */
  name: z.string().min(1).max(64),
})
/** How this machine can be reached. The control plane and the router are asked anew: it takes up to 10 s. */
export const Netcheck = request('netcheck', {})
/**
 * Starts a program under this agent's name, hosted by the daemon; its output comes as `run.output` pushes. With `cols` and
 * `rows` it gets a pseudo-terminal of that size, without them plain pipes, byte for byte. The run ends with this
 * connection unless it is detached.
 */
export const Run = request('run', {
  name: AgentName,
  command: z.array(z.string()).min(1),
  cwd: z.string(),
  env: z.record(z.string(), z.string()),
  cols: z.int().positive().max(1000).optional(),
  rows: z.int().positive().max(1000).optional(),
  project: ProjectName.optional(),
  repository: z.string().max(200).optional(),
  model: z.string().max(80).optional(),
  isDetached: z.boolean().optional(),
})
/** `data` is base64 of raw bytes. `isEnd` closes the program's input. Answered when the program's side took the bytes. */
export const RunInput = request('run.input', { data: z.string(), isEnd: z.boolean().optional() })
/** So many bytes of output reached the terminal; a program whose terminal lags is held back, not cut. */
export const RunAck = request('run.ack', { bytes: z.int().positive() })
export const RunResize = request('run.resize', {
  cols: z.int().positive().max(1000),
  rows: z.int().positive().max(1000),
})
export const RunSignal = request('run.signal', { signal: z.enum(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL']) })
/** The channels of the organization, with or without a connection to the control plane. */
export const Channels = request('channels', {})
/** The agent of this connection, or another one of this machine, gets a channel's messages from now on; a new channel is made. */
export const ChannelJoin = request('channel.join', { channel: z.string().min(1).max(80), agent: AgentName.optional() })
export const ChannelLeave = request('channel.leave', {
  channel: z.string().min(1).max(80),
  agent: AgentName.optional(),
})
/** What was said in a channel, from the control plane. */
export const ChannelHistoryRequest = request('channel.history', ChannelHistoryQuery.shape)
/** After `link` or `unlink` changed the home: read it again and (dis)connect. */
export const Reload = request('reload', {})
export const Shutdown = request('shutdown', {})

export const LocalRequest = z.discriminatedUnion('type', [
  Register,
  Send,
  Wait,
  Subscribe,
  Mark,
  Inbox,
  History,
  Read,
  Dead,
  DeadRetry,
  DeadDrop,
  Agents,
  Whoami,
  Status,
  Trace,
  Ping,
  Netcheck,
  Run,
  RunInput,
  RunAck,
  RunResize,
  RunSignal,
  Channels,
  ChannelJoin,
  ChannelLeave,
  ChannelHistoryRequest,
  Reload,
  Shutdown,
])
export type LocalRequest = z.infer<typeof LocalRequest>
export type LocalRequestType = LocalRequest['type']

/* Results, by request */

const Done = z.object({ done: z.literal(true) })

export const SentMessage = z.object({
  id: MessageId,
  /** An agent's name, `@person` or `#channel`. */
  agent: Party,
  machine: z.string(),
  state: DeliveryState,
  /** Honest words for a person: `queued: Carol is offline, last seen 3 h ago`. */
  note: z.string(),
})
export type SentMessage = z.infer<typeof SentMessage>

export const InboxEntry = z.object({
  message: Message,
  state: z.enum(['accepted', 'injected', 'seen']),
  /** ms since 1970 on this machine. */
  acceptedAt: z.int(),
})
export type InboxEntry = z.infer<typeof InboxEntry>

/** A message as this machine knows it. In lists `body` is an excerpt of a long text, around what was searched for. */
export const HistoryEntry = z.object({
  message: Message,
  toMachine: z.string(),
  /** `out` went to another machine, `in` came from one, `local` stayed here. */
  way: z.enum(['out', 'in', 'local']),
  state: DeliveryState,
  /** Why it waits or failed, in words for a person. */
  note: z.string().nullable(),
  /** ms since 1970 on this machine: queued or accepted here. */
  at: z.int(),
  /** Of the whole text in UTF-8. */
  sizeBytes: z.int().nonnegative(),
  isExcerpt: z.boolean(),
  /** Where in `body` what was searched for stands first, in UTF-16 units. */
  match: z.object({ from: z.int().nonnegative(), to: z.int().nonnegative() }).optional(),
  /** The dead letter in whose place it was sent, and the message that was sent in its own. */
  retryOf: MessageId.optional(),
  retriedAs: MessageId.optional(),
})
export type HistoryEntry = z.infer<typeof HistoryEntry>

export const AgentView = z.object({
  name: AgentName,
  machine: z.string(),
  isHere: z.boolean(),
  person: z.string(),
  status: AgentStatus,
  project: z.string().nullable(),
  client: z.string().nullable(),
  model: z.string().nullable(),
  epoch: z.int().nullable(),
  lastSeenAt: z.int().nullable(),
  /** Messages accepted for it here and not yet handed over, or queued here for it elsewhere. */
  waiting: z.int().nonnegative(),
})
export type AgentView = z.infer<typeof AgentView>

/** Somebody who can be written to as `@handle`, in their dashboard. */
export const PersonView = z.object({ handle: z.string(), name: z.string() })
export type PersonView = z.infer<typeof PersonView>

export const ChannelView = z.object({
  name: z.string(),
  topic: z.string().nullable(),
  /** By name. */
  agents: z.array(z.string()),
  /** By handle. */
  people: z.array(z.string()),
  /** Agents of this machine that are in it. */
  here: z.array(z.string()),
})
export type ChannelView = z.infer<typeof ChannelView>

/** `192.168.1.23:41650`, `[2001:db8::20]:41650`. */
const HostPort = z.string().max(300)

/** How the way to another machine is now, as this machine sees it. */
export const LinkView = z.object({
  state: LinkState,
  /** Of a direct link: by which kind of candidate. */
  kind: CandidateKind.nullable(),
  /** The other end of a direct link. */
  remote: HostPort.nullable(),
  /** Round trip of the last probe in ms. */
  latencyMs: z.number().nonnegative().nullable(),
  /** Why it goes this way, in words for a person. */
  why: z.string().max(200),
  /** ms since it is so. */
  forMs: z.number().nonnegative(),
})
export type LinkView = z.infer<typeof LinkView>

export const MachineView = z.object({
  id: MachineId,
  name: z.string(),
  person: z.string(),
  platform: z.string(),
  isSelf: z.boolean(),
  isOnline: z.boolean(),
  lastSeenAt: z.int().nullable(),
  path: DeliveryPath.nullable(),
  latencyMs: z.number().nullable(),
  queued: z.int().nonnegative(),
  sent: z.int().nonnegative(),
  received: z.int().nonnegative(),
  agents: z.array(z.string()),
  /** Since version 3; absent for this machine itself, and where links are not known. */
  link: LinkView.optional(),
  /** Of `queued`: under way to it and not yet acknowledged. Since version 3. */
  unacked: z.int().nonnegative().optional(),
})
export type MachineView = z.infer<typeof MachineView>

/** Who can read what agents of other machines are sent from here. */
export const SealingView = z.object({
  /** `sealed`: the recipient's machine alone; `archived`: the organization's archive, too; `off`: nothing is sealed. */
  mode: z.enum(['sealed', 'archived', 'off']),
  /** Machines whose agent-relay is too old to open sealed messages: to them they go in the clear. */
  unsealed: z.array(z.string()),
})
export type SealingView = z.infer<typeof SealingView>

/** How old the last word of the control plane on who is in the organization is. */
export const RosterView = z.object({
  ageMs: z.number().nonnegative(),
  /** `stale`: doubted; `expired`: too old for links between machines. */
  state: z.enum(['fresh', 'stale', 'expired']),
})
export type RosterView = z.infer<typeof RosterView>

export const StatusView = z.object({
  version: z.string(),
  pid: z.int(),
  home: z.string(),
  /** ms since the daemon was ready. */
  uptimeMs: z.number(),
  linked: z.object({ url: z.string(), org: z.string(), orgName: z.string(), person: z.string() }).nullable(),
  control: z.object({
    state: z.enum(['unlinked', 'connecting', 'connected', 'waiting', 'refused']),
    latencyMs: z.number().nullable(),
    /** Why it is not connected, and what to do. */
    reason: z.string().nullable(),
  }),
  machines: z.array(MachineView),
  queued: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  /** One sentence each, ending with the next command. */
  health: z.array(z.string()),
  /** Both since version 3; absent while this machine is not linked, or has not connected since it is. */
  sealing: SealingView.optional(),
  roster: RosterView.optional(),
})
export type StatusView = z.infer<typeof StatusView>

export const TraceView = z.object({
  id: MessageId,
  from: z.string(),
  to: z.string(),
  state: DeliveryState,
  path: DeliveryPath.nullable(),
  reason: z.string().nullable(),
  tookMs: z.number().nullable(),
  hops: z.array(Hop),
})
export type TraceView = z.infer<typeof TraceView>

export const PingView = z.object({
  machine: z.string(),
  /** The agent that was asked for, as registered; null when it was a machine. */
  agent: z.string().nullable(),
  /** By which path the answer came; null when none came in time. */
  path: z.enum(['local', 'direct', 'relay']).nullable(),
  /** Of a direct link. */
  kind: CandidateKind.nullable(),
  remote: HostPort.nullable(),
  latencyMs: z.number().nonnegative().nullable(),
  /** Whether the inbox there takes messages; null when nobody said. */
  inbox: z.enum(['ok', 'full', 'broken']).nullable(),
  /** The agent's status there; null for a machine, when nobody said, and when no such agent is registered there. */
  status: AgentStatus.nullable(),
  /** Why it went this way, or why no answer came, in words for a person. */
  why: z.string().max(200),
})
export type PingView = z.infer<typeof PingView>

const Address = z.string().max(64)

/** How this machine can be reached by others, and by what. */
export const NetcheckView = z.object({
  control: z.object({
    /** null while this machine is not linked. */
    url: z.string().nullable(),
    isReachable: z.boolean(),
    latencyMs: z.number().nonnegative().nullable(),
    /** Why it cannot be reached. */
    reason: z.string().nullable(),
  }),
  /** Whether this machine makes direct links at all, and why not. */
  direct: z.object({ isOn: z.boolean(), why: z.string().max(200) }),
  /** Its own addresses, but for those that only it can use; empty when there is no network of that kind. */
  ipv4: z.array(Address),
  ipv6: z.array(Address),
  /** From where the control plane sees this machine; null when a proxy hides it. */
  seenAs: Address.nullable(),
  /** On which port it takes links; null when it takes none. */
  port: z.int().min(1).max(65_535).nullable(),
  /** Whether somebody outside of its network has reached it there; null when that could not be tried. */
  isReached: z.boolean().nullable(),
  /** What the router was asked for: not asked, asked in vain, or it lets others in by `external`. */
  mapping: z.object({
    state: z.enum(['off', 'none', 'mapped']),
    external: HostPort.nullable(),
    why: z.string().max(200),
  }),
  /** Whether the router keeps ports, so that two machines behind two routers can meet; null when it could not be tried. */
  punch: z.object({ isPossible: z.boolean().nullable(), why: z.string().max(200) }),
  /** What others are told of how to reach it, the best first; `isReachable` as with `isReached`. */
  candidates: z.array(Candidate.extend({ isReachable: z.boolean().nullable(), why: z.string().max(200) })),
  /** What a person can do when machines elsewhere reach it by relay only; null otherwise. */
  advice: z.string().nullable(),
})
export type NetcheckView = z.infer<typeof NetcheckView>

/** The value of `ok`, by request. */
export const localResults = {
  register: z.object({
    name: z.string(),
    token: z.string(),
    epoch: z.int().nullable(),
    claim: z.enum(['granted', 'pending', 'local']),
  }),
  send: z.object({ id: MessageId, messages: z.array(SentMessage) }),
  wait: z.object({ messages: z.array(SentMessage), isReached: z.boolean() }),
  subscribe: z.object({ waiting: z.int().nonnegative() }),
  mark: z.object({ marked: z.int().nonnegative() }),
  /** `notice`, here and below: why something may be missing. */
  inbox: z.object({ agent: z.string(), entries: z.array(InboxEntry), notice: z.string().optional() }),
  history: z.object({ entries: z.array(HistoryEntry), notice: z.string().optional() }),
  read: z.object({ entry: HistoryEntry }),
  dead: z.object({ entries: z.array(HistoryEntry), notice: z.string().optional() }),
  'dead.retry': z.object({ message: SentMessage, retryOf: MessageId }),
  'dead.drop': z.object({ dropped: z.int().nonnegative() }),
  agents: z.object({ agents: z.array(AgentView), people: z.array(PersonView) }),
  channels: z.object({ channels: z.array(ChannelView) }),
  'channel.join': z.object({ channel: z.string(), isNew: z.boolean(), agent: z.string() }),
  'channel.leave': z.object({ channel: z.string(), agent: z.string() }),
  'channel.history': ChannelHistory,
  whoami: z.object({
    agent: z.string().nullable(),
    machine: z.string(),
    machineId: z.string(),
    org: z.string().nullable(),
    person: z.string(),
  }),
  status: StatusView,
  trace: TraceView,
  ping: PingView,
  netcheck: NetcheckView,
  run: z.object({ name: z.string(), pid: z.int() }),
  'run.input': Done,
  'run.ack': Done,
  'run.resize': Done,
  'run.signal': Done,
  reload: Done,
  shutdown: Done,
} as const satisfies Record<LocalRequestType, z.ZodType>
export type LocalResults = { [T in LocalRequestType]: z.infer<(typeof localResults)[T]> }

/* Daemon → client */

export const WelcomeFrame = z.object({
  type: z.literal('welcome'),
  /** The version that was asked for, and is spoken from here on. */
  v: z.int().min(OLDEST_LOCAL_VERSION).max(LOCAL_VERSION),
  daemon: z.string(),
  agent: z.string().nullable(),
})
export const Ok = z.object({ type: z.literal('ok'), id: z.int().nonnegative(), result: z.unknown() })
/** `id` is null when the line could not be read as a request at all. */
export const ErrorFrame = z.object({
  type: z.literal('error'),
  id: z.int().nonnegative().nullable(),
  code: ErrorCode,
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
})
/** A message for the subscribed agent; it is sent again, marked `redelivered`, until the agent marks it. */
export const Deliver = z.object({ type: z.literal('deliver'), message: Message, redelivered: z.boolean() })
/** `data` is base64 of raw bytes; a pseudo-terminal has only `stdout`. */
export const RunOutput = z.object({
  type: z.literal('run.output'),
  stream: z.enum(['stdout', 'stderr']),
  data: z.string(),
})
export const RunExit = z.object({
  type: z.literal('run.exit'),
  code: z.int().nullable(),
  signal: z.string().nullable(),
})

export const ServerFrame = z.discriminatedUnion('type', [WelcomeFrame, Ok, ErrorFrame, Deliver, RunOutput, RunExit])
export type ServerFrame = z.infer<typeof ServerFrame>
export type ClientFrame = z.infer<typeof Hello> | LocalRequest
