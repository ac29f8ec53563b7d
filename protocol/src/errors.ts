/** Stable error codes that cross a process or a machine. A code never changes its meaning; text may improve. */
import { z } from 'zod'

export const ErrorCode = z.enum([
  'BAD_REQUEST',
  'UNKNOWN_FRAME',
  'METHOD_NOT_ALLOWED',
  'UNSUPPORTED_MEDIA_TYPE',
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
  'CLONED',
  'UNTRUSTED',
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

/** Codes that an older version does not know, and would take for a broken frame, with what it is told instead. */
const since: Partial<Record<ErrorCode, { version: number; before: ErrorCode }>> = {
  UNKNOWN_FRAME: { version: 2, before: 'BAD_REQUEST' },
  METHOD_NOT_ALLOWED: { version: 2, before: 'BAD_REQUEST' },
  UNSUPPORTED_MEDIA_TYPE: { version: 2, before: 'BAD_REQUEST' },
  // It ends trying again, as it must.
  CLONED: { version: 3, before: 'IDENTITY_MISMATCH' },
  UNTRUSTED: { version: 3, before: 'FORBIDDEN' },
}

/** The code as a program that speaks this version knows it. */
export const codeIn = (version: number, code: ErrorCode): ErrorCode => {
  const known = since[code]
  return known === undefined || version >= known.version ? code : known.before
}
