/** Domain errors: a stable code, one sentence that names the value at fault, and the next step. Mapped to HTTP and tRPC at the edges only. */
import type { ErrorCode, WireError } from '@agent-relay/protocol'

type Options = { details?: Record<string, unknown>; cause?: unknown }

export class DomainError extends Error {
  readonly code: ErrorCode
  readonly details: Record<string, unknown> | undefined

  constructor(code: ErrorCode, message: string, options: Options = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'DomainError'
    this.code = code
    this.details = options.details
  }
}

const httpStatus: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  UNKNOWN_FRAME: 400,
  NAME_INVALID: 400,
  UNKNOWN_ADDRESS: 404,
  UNSUPPORTED_ADDRESS: 400,
  UNAUTHENTICATED: 401,
  KEY_INVALID: 401,
  KEY_REVOKED: 401,
  FORBIDDEN: 403,
  IDENTITY_MISMATCH: 403,
  PLAN_LIMIT: 403,
  POLICY_REFUSED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  NAME_TAKEN: 409,
  FENCED: 409,
  EXPIRED: 410,
  TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  VERSION_UNSUPPORTED: 426,
  RATE_LIMITED: 429,
  MAILBOX_FULL: 429,
  UNAVAILABLE: 503,
  SHUTTING_DOWN: 503,
  TIMEOUT: 504,
}

/** The HTTP status of a code; 500 for whatever has no better one. */
export const statusOf = (code: ErrorCode): number => httpStatus[code] ?? 500

/** By name: Next's bundle and server.ts have a DomainError class each, and errors pass between them. */
export const isDomainError = (error: unknown): error is DomainError =>
  error instanceof DomainError || (error instanceof Error && error.name === 'DomainError' && 'code' in error)

/**
 * What may leave the process of any thrown value: a DomainError as it is, a database that is away as UNAVAILABLE, everything
 * else as INTERNAL without its text, which belongs in the log under the same request id.
 */
export function toWireError(error: unknown): WireError {
  if (isDomainError(error))
    return { code: error.code, message: error.message, ...(error.details && { details: error.details }) }
  if (isOutage(error))
    return { code: 'UNAVAILABLE', message: 'The control plane cannot reach its database right now. Try again shortly.' }
  return {
    code: 'INTERNAL',
    message: 'The control plane failed on this request; its log has the reason under the request id.',
  }
}

/** Whether the database was away, by what Prisma and its driver adapter say of it. */
export function isOutage(error: unknown): boolean {
  const { code, meta } = (error ?? {}) as { code?: unknown; meta?: { driverAdapterError?: { cause?: AdapterCause } } }
  const cause = meta?.driverAdapterError?.cause
  if (cause?.kind && outageKinds.has(cause.kind)) return true
  // 08: connection exceptions; 57P: the server is stopping or starting.
  if (/^(08|57P)/.test(cause?.originalCode ?? '')) return true
  return typeof code === 'string' && /^(P1001|P1002|P1008|P1017|P2024)$/.test(code)
}

type AdapterCause = { kind?: string; originalCode?: string }
const outageKinds = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections'])
