/** The one place where errors become tRPC's: a domain error keeps its code and sentence, whatever else fails says INTERNAL. */
import type { ErrorCode } from '@agent-relay/protocol'
import { type TRPCDefaultErrorShape, TRPCError } from '@trpc/server'
import type { TRPC_ERROR_CODE_KEY } from '@trpc/server/rpc'
import { z } from 'zod'
import { DomainError, statusOf, toWireError } from '../errors.ts'

/** What a client finds in `error.data`, beside `error.message`. */
export type ErrorData = {
  code: ErrorCode
  httpStatus: number
  details?: Record<string, unknown>
  requestId: string | null
}

/** tRPC answers with the HTTP status of one of its own codes. */
const keyOfStatus: Record<number, TRPC_ERROR_CODE_KEY> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  410: 'NOT_FOUND',
  413: 'PAYLOAD_TOO_LARGE',
  426: 'PRECONDITION_FAILED',
  429: 'TOO_MANY_REQUESTS',
  503: 'SERVICE_UNAVAILABLE',
  504: 'GATEWAY_TIMEOUT',
}

export const fromDomainError = (error: DomainError): TRPCError =>
  new TRPCError({
    code: keyOfStatus[statusOf(error.code)] ?? 'INTERNAL_SERVER_ERROR',
    message: error.message,
    cause: error,
  })

/** The wire form of an error. Neither a stack nor the text of an unforeseen error leaves the process. */
export function formatError(
  shape: TRPCDefaultErrorShape,
  error: TRPCError,
  requestId: string | null,
): Omit<TRPCDefaultErrorShape, 'data'> & { data: ErrorData } {
  const { code, message, details } = wireErrorOf(error)
  const { httpStatus } = shape.data
  return { code: shape.code, message, data: { code, httpStatus, requestId, ...(details && { details }) } }
}

function wireErrorOf(error: TRPCError): ReturnType<typeof toWireError> {
  const { cause } = error
  if (cause instanceof DomainError) return toWireError(cause)
  if (cause instanceof z.core.$ZodError) return badInput(cause)
  if (error.code === 'NOT_FOUND') return { code: 'NOT_FOUND', message: error.message }
  if (['BAD_REQUEST', 'PARSE_ERROR', 'METHOD_NOT_SUPPORTED', 'UNSUPPORTED_MEDIA_TYPE'].includes(error.code))
    return { code: 'BAD_REQUEST', message: error.message }
  return toWireError(cause)
}

/** The first thing that is wrong, and at which field; forms show the message there. */
function badInput(error: z.core.$ZodError): ReturnType<typeof toWireError> {
  const issue = error.issues[0]
  const field = issue?.path.join('.') ?? ''
  return {
    code: 'BAD_REQUEST',
    message: `${field || 'The input'}: ${issue?.message ?? 'unreadable'}`,
    details: { field },
  }
}
