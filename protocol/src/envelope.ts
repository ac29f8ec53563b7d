/** One message on its way. The same bytes travel on every path, so a change of path changes nothing else. */
import { z } from 'zod'
import { MAX_BODY_BYTES } from './limits.ts'
import { AGENT_NAME, AgentName, ChannelName, PROJECT_NAME, ProjectName, UserHandle } from './names.ts'
import { SealKeyId } from './seal-key.ts'

export const DAY_MS = 86_400_000
/** A direct message waits a week for a sleeping laptop; a broadcast is stale after a day. */
export const DEFAULT_TTL_MS = 7 * DAY_MS
export const BROADCAST_TTL_MS = 24 * 3_600_000
export const MAX_TTL_MS = 30 * DAY_MS

/** UUIDv7, so that ids sort by time. */
export const MessageId = z.uuid()
export const MachineId = z.string().min(1).max(64)
export const OrgId = z.string().min(1).max(64)
/** Names the conversation of one sending agent with one agent on one machine, within one outbox epoch. */
export const StreamId = z.string().min(1).max(200)

/** As whom people are addressed at the control plane's own machine; `to.user` or `to.channel` says for whom a message is. */
export const DASHBOARD_AGENT = 'dashboard'

export const Sender = z.object({
  machine: MachineId,
  agent: AgentName,
  /** The epoch under which the sender holds its name; an older one is fenced at every hop. */
  epoch: z.int().nonnegative(),
  /** A person who wrote in the dashboard; only the control plane's own machine may say so. */
  user: UserHandle.optional(),
})

export const Recipient = z.object({
  machine: MachineId,
  agent: AgentName,
  project: ProjectName.optional(),
  /** The address as the sender wrote it when it named more than this agent, such as `*:*`. */
  via: z.string().max(140).optional(),
  /** The channel that this copy was sent to. */
  channel: ChannelName.optional(),
  /** The person for whom it is; only messages to the control plane's own machine have one. */
  user: UserHandle.optional(),
})

export const Priority = z.union([z.literal(0), z.literal(1), z.literal(2)])

/** Names of the two machines' seal keys, and base64url of nonce (12 bytes), ciphertext and tag (16): protocol/crypto/seal.ts. */
export const Sealed = z.object({
  /** The sender's, by its first characters. */
  by: SealKeyId,
  /** The recipient's. */
  to: SealKeyId,
  data: z
    .string()
    .regex(/^[A-Za-z0-9_-]*$/)
    .min(39),
})
export type Sealed = z.infer<typeof Sealed>

export const Envelope = z.object({
  v: z.literal(1),
  id: MessageId,
  org: OrgId,
  from: Sender,
  to: Recipient,
  thread: z.string().min(1).max(100).optional(),
  replyTo: MessageId.optional(),
  stream: StreamId,
  /** Random per outbox file: a wiped laptop starts new streams instead of being mistaken for a repeat. */
  outboxEpoch: z.string().min(1).max(32),
  /** From 0, without gaps, per stream. */
  seq: z.int().nonnegative(),
  /** What remains, counted down by each holder on its own monotonic clock; clocks of two machines are never compared. */
  ttlMs: z.int().positive().max(MAX_TTL_MS),
  priority: Priority,
  /** The sender's wall clock in ms since 1970; for display only. */
  ts: z.int().nonnegative(),
  trace: z.string().min(1).max(64),
  /** Empty when it is sealed. */
  body: z.string(),
  /** The body, for the recipient's machine alone, bound to the other fields except `ttlMs`, which every holder counts down. */
  sealed: Sealed.optional(),
  /** Its message failed at the sender after others of the stream were numbered: it fills its place and is shown to nobody. */
  isVoid: z.literal(true).optional(),
})
export type Envelope = z.infer<typeof Envelope>

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const isText = (value: unknown, max: number): boolean =>
  typeof value === 'string' && value.length > 0 && value.length <= max
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isName = (value: unknown): boolean => typeof value === 'string' && AGENT_NAME.test(value)
/** Whether this is certainly a MessageId; one in upper case is left to the schema. */
export const isPlainId = (value: unknown): value is string => typeof value === 'string' && ID.test(value)
/** How many fields every envelope has. */
const REQUIRED = 13

/**
 * Whether this is certainly an Envelope, with nothing beside it: the usual shape, checked by hand because messages come by the
 * thousand. What is not may still be one (upper-case ids, fields of a later version): ask the schema then.
 */
export function isPlainEnvelope(value: unknown): value is Envelope {
  if (typeof value !== 'object' || value === null) return false
  const e = value as Record<string, unknown>
  let optional = 0
  if (e.thread !== undefined) {
    if (!isText(e.thread, 100)) return false
    optional++
  }
  if (e.replyTo !== undefined) {
    if (!isPlainId(e.replyTo)) return false
    optional++
  }
  if (e.sealed !== undefined) {
    if (!isPlainSealed(e.sealed)) return false
    optional++
  }
  return (
    // A field that is not read here makes one more, also one that is there and undefined.
    Object.keys(e).length === REQUIRED + optional &&
    e.v === 1 &&
    isPlainId(e.id) &&
    isText(e.org, 64) &&
    isPlainSender(e.from) &&
    isPlainRecipient(e.to) &&
    isText(e.stream, 200) &&
    isText(e.outboxEpoch, 32) &&
    isCount(e.seq) &&
    isCount(e.ttlMs) &&
    e.ttlMs > 0 &&
    e.ttlMs <= MAX_TTL_MS &&
    (e.priority === 0 || e.priority === 1 || e.priority === 2) &&
    isCount(e.ts) &&
    isText(e.trace, 64) &&
    typeof e.body === 'string'
  )
}

const KEY_ID = /^[A-Za-z0-9_-]{11}$/
const BASE64URL = /^[A-Za-z0-9_-]*$/

function isPlainSealed(sealed: unknown): boolean {
  if (typeof sealed !== 'object' || sealed === null || Object.keys(sealed).length !== 3) return false
  const { by, to, data } = sealed as Record<string, unknown>
  const areIds = typeof by === 'string' && KEY_ID.test(by) && typeof to === 'string' && KEY_ID.test(to)
  return areIds && typeof data === 'string' && data.length >= 39 && BASE64URL.test(data)
}

/** How much of a frame the envelope's body takes, in characters, sealed or not; near enough to its bytes for bounds. */
export const payloadLength = ({ body, sealed }: Pick<Envelope, 'body' | 'sealed'>): number =>
  body.length + (sealed === undefined ? 0 : sealed.data.length)

/** The longest `sealed.data` there can be: a byte of kind, the largest body in its widest form, nonce and tag, in base64url. */
export const MAX_SEALED_LENGTH = Math.ceil(((1 + 2 * MAX_BODY_BYTES + 28) * 4) / 3)

function isPlainSender(from: unknown): boolean {
  if (typeof from !== 'object' || from === null || Object.keys(from).length !== 3) return false
  const { machine, agent, epoch } = from as Record<string, unknown>
  return isText(machine, 64) && isName(agent) && isCount(epoch)
}

function isPlainRecipient(to: unknown): boolean {
  if (typeof to !== 'object' || to === null) return false
  const { machine, agent, project, via } = to as Record<string, unknown>
  let optional = 0
  if (project !== undefined) {
    if (typeof project !== 'string' || !PROJECT_NAME.test(project)) return false
    optional++
  }
  // Every copy of a broadcast says what was addressed.
  if (via !== undefined) {
    if (typeof via !== 'string' || via.length > 140) return false
    optional++
  }
  return Object.keys(to).length === 2 + optional && isText(machine, 64) && isName(agent)
}

/** What the recipient's agent and its person see of an envelope, with the names resolved. */
export const Message = z.object({
  id: MessageId,
  from: z.string(),
  fromMachine: z.string(),
  fromPerson: z.string().optional(),
  fromProject: z.string().optional(),
  to: z.string(),
  via: z.string().optional(),
  thread: z.string().optional(),
  replyTo: MessageId.optional(),
  ts: z.int(),
  body: z.string(),
})
export type Message = z.infer<typeof Message>

/** Bytes of UTF-8 in `text`, without a Node built-in. */
export function utf8Length(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) bytes += 1
    else if (code < 0x800) bytes += 2
    else if (code >= 0xd800 && code < 0xdc00) {
      bytes += 4
      i++
    } else bytes += 3
  }
  return bytes
}
