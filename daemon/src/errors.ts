/** Errors of the daemon, its client and its commands: a stable code, one sentence that names the value at fault, and the next step. */
import type { ErrorCode, WireError } from '@agent-relay/protocol'

type Options = { details?: Record<string, unknown> | undefined; cause?: unknown }

/** An expected failure. Its message is for people as it stands and ends with what to do; anything else is a defect of ours. */
export class RelayError extends Error {
  readonly code: ErrorCode
  readonly details: Record<string, unknown> | undefined

  constructor(code: ErrorCode, message: string, options: Options = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RelayError'
    this.code = code
    this.details = options.details
  }
}

/** An error that came over a socket, as one that can be thrown. */
export const fromWire = (error: WireError): RelayError =>
  new RelayError(error.code, error.message, { details: error.details })

/** What may go over a socket of any thrown value; a defect keeps its text for the log only. */
export function toWire(error: unknown): WireError {
  if (error instanceof RelayError)
    return { code: error.code, message: error.message, ...(error.details && { details: error.details }) }
  return { code: 'INTERNAL', message: 'The daemon failed on this request; agent-relay logs has the reason.' }
}
