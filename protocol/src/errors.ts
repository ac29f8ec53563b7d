/** Stable error codes that cross a process or a machine. A code never changes its meaning; text may improve. */
import { z } from 'zod'

export const ErrorCode = z.enum([
  'BAD_REQUEST',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'CONFLICT',
  'NAME_TAKEN',
  'NAME_INVALID',
  'UNKNOWN_ADDRESS',
  'UNSUPPORTED_ADDRESS',
  'EMPTY_AUDIENCE',
  'TOO_LARGE',
  'OUTBOX_FULL',
  'MAILBOX_FULL',
  'DISK_FULL',
  'STORE_BROKEN',
  'FENCED',
  'EXPIRED',
  'RATE_LIMITED',
  'PLAN_LIMIT',
  'POLICY_REFUSED',
  'NOT_LINKED',
  'NOT_CONNECTED',
  'DAEMON_DOWN',
  'DAEMON_RUNNING',
  'KEY_INVALID',
  'KEY_REVOKED',
  'IDENTITY_MISMATCH',
  'VERSION_UNSUPPORTED',
  'TIMEOUT',
  'SHUTTING_DOWN',
  'UNAVAILABLE',
  'INTERNAL',
])
export type ErrorCode = z.infer<typeof ErrorCode>

/** An error as it travels: a code for programs, one sentence for people that names the value and the next step. */
export const WireError = z.object({
  code: ErrorCode,
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
})
export type WireError = z.infer<typeof WireError>
