/** Bodies of the HTTP endpoints that a daemon calls. Paths and fields are public: docs/contract. */
import { z } from 'zod'
import { MachineId } from './envelope.ts'
import { ErrorCode } from './errors.ts'
import { MachineName } from './names.ts'
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

/** Every error body of the HTTP API. */
export const HttpError = z.object({
  error: z.object({
    code: ErrorCode,
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
    requestId: z.string(),
  }),
})
