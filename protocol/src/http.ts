/** Bodies of the HTTP endpoints that a daemon calls. Paths and fields are public: docs/contract. */
import { z } from 'zod'
import { AgentClaim, Done, machineFrames, RelayBatch, ReturnBatch, Returned } from './control.ts'
import { Envelope, MachineId } from './envelope.ts'
import { ErrorCode } from './errors.ts'
import { Reflection } from './links.ts'
import { AgentName, MachineName } from './names.ts'
import { Roster } from './roster.ts'

/** Prefix of a machine's API key: `ar_live_` + 8 characters shown in lists + 43 secret (256 bits) + 6 checksum. */
export const MACHINE_KEY_PREFIX = 'ar_live_'

const MachineFacts = z.object({
  machineName: MachineName,
  platform: z.string().max(40),
  version: z.string().max(40),
  /** base64url raw Ed25519 public key (32 bytes). */
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'publicKey is 32 bytes in base64url'),
})

/** POST /api/link/start: RFC 8628 device authorization. */
export const LinkStartRequest = MachineFacts.extend({ org: z.string().max(64).optional() })
export type LinkStartRequest = z.infer<typeof LinkStartRequest>
export const LinkStartResponse = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.url(),
  verification_uri_complete: z.url(),
  /** seconds */
  expires_in: z.int().positive(),
  /** seconds between polls */
  interval: z.int().positive(),
})
export type LinkStartResponse = z.infer<typeof LinkStartResponse>

/** POST /api/link/poll. */
export const LinkPollRequest = z.object({ device_code: z.string().min(1).max(200) })
export const LinkPollError = z.enum(['authorization_pending', 'slow_down', 'expired_token', 'access_denied'])
export const LinkPollFailure = z.object({ error: LinkPollError, error_description: z.string() })
export const Linked = z.object({
  api_key: z.string(),
  machine: z.object({ id: MachineId, name: MachineName }),
  org: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  person: z.string(),
})
export type Linked = z.infer<typeof Linked>

/** POST /api/daemons/register with a machine key: binds the machine's identity the first time, checks it ever after. */
export const RegisterRequest = MachineFacts.extend({ machineId: MachineId.optional() })
export type RegisterRequest = z.infer<typeof RegisterRequest>
export const RegisterResponse = z.object({
  daemonId: MachineId,
  machine: z.object({ id: MachineId, name: MachineName }),
  org: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  person: z.string(),
  roster: Roster,
  policyVersion: z.int().nonnegative(),
})
export type RegisterResponse = z.infer<typeof RegisterResponse>

/** POST /api/daemons/heartbeat, for machines that cannot hold a socket. `bootId` names one run of the daemon: a new one begins a new session. */
export const HeartbeatRequest = z.object({ bootId: z.uuid(), version: z.string().max(40) })
export const HeartbeatResponse = z.object({
  now: z.int(),
  /** ms until the next one is due. */
  nextInMs: z.int().positive(),
})
export type HeartbeatResponse = z.infer<typeof HeartbeatResponse>

/** POST /api/orgs/:org/agents with a machine key: claims a name for that machine. */
export const AgentRegistration = z.object({
  name: AgentClaim.shape.name,
  /** Defaults to the machine of the key, and can be no other. */
  daemonId: z.string().max(64).optional(),
  epoch: AgentClaim.shape.epoch.default(null),
  status: AgentClaim.shape.status.default('online'),
  project: AgentClaim.shape.project.default(null),
  repository: AgentClaim.shape.repository.default(null),
  client: AgentClaim.shape.client.default(null),
  model: AgentClaim.shape.model.default(null),
  capabilities: AgentClaim.shape.capabilities.default([]),
})
export const AgentRegistered = z.object({ name: AgentName, epoch: z.int().positive(), daemonId: MachineId })

/** Items on one page of GET /api/messages/pending. */
export const MAIL_PAGE = 256
/** GET /api/messages/pending: what waits for this machine, oldest first. */
export const PendingResponse = z.object({
  /** They leave by their acknowledgement. */
  envelopes: z.array(Envelope),
  /** They leave by naming their ids in `read`. */
  returned: z.array(z.object({ id: z.uuid(), ...Returned.shape })),
  /** Continues after this page; null when it was the last. */
  next: z.uuid().nullable(),
})
export type PendingResponse = z.infer<typeof PendingResponse>
/** POST /api/messages/ack. */
export const AckRequest = ReturnBatch.partial().extend({ read: z.array(z.uuid()).max(MAIL_PAGE).default([]) })

/** Every error body of the HTTP API. */
export const HttpError = z.object({
  error: z.object({
    code: ErrorCode,
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
    requestId: z.string(),
  }),
})

/** Every JSON body that a daemon sends or gets over HTTP, by endpoint. */
export const httpBodies = {
  'link.start': LinkStartRequest,
  'link.start.answer': LinkStartResponse,
  'link.poll': LinkPollRequest,
  'link.poll.answer': Linked,
  'link.poll.failure': LinkPollFailure,
  'daemons.register': RegisterRequest,
  'daemons.register.answer': RegisterResponse,
  'daemons.heartbeat': HeartbeatRequest,
  'daemons.heartbeat.answer': HeartbeatResponse,
  'agents.register': AgentRegistration,
  'agents.register.answer': AgentRegistered,
  'messages.relay': RelayBatch,
  'messages.relay.answer': machineFrames.relay.value,
  'messages.pending.answer': PendingResponse,
  'messages.ack': AckRequest,
  'messages.ack.answer': Done,
  'reflect.answer': Reflection,
  error: HttpError,
} as const satisfies Record<string, z.ZodType>
