/** A line of the local socket as a frame. The two requests that come by the thousand are checked by hand, all else by schema. */

import { isPlainId } from '@agent-relay/protocol'
import { Hello, LocalRequest } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import { RelayError } from '../errors.ts'

type HelloFrame = z.infer<typeof Hello>
export type Parsed = { id: number | null; frame: LocalRequest | HelloFrame }

/** Reads one line. Throws a RelayError that names the fault, with `details.id` when the request's id could be read. */
export function parseLine(line: string): Parsed {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw bad(null, `A line that is not JSON came: ${JSON.stringify(line.slice(0, 60))}. Send one JSON object a line.`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(null, 'A line that is not a JSON object came. Send one JSON object a line.')
  const frame = value as Record<string, unknown>
  if (isSend(frame) || isMark(frame)) return { id: (frame as { id: number }).id, frame: frame as LocalRequest }
  if (frame.type === 'hello') return { id: null, frame: checked(Hello, frame, null) }
  const id = isId(frame.id) ? (frame.id as number) : null
  if (typeof frame.type === 'string' && !requests.has(frame.type)) throw unknown(id, frame.type)
  return { id, frame: checked(LocalRequest, frame, id) }
}

function checked<T>(schema: z.ZodType<T>, value: Record<string, unknown>, id: number | null): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const path = issue?.path.map(String) ?? []
  const type = typeof value.type === 'string' ? value.type.slice(0, 40) : 'the frame'
  const given = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value)
  const shown = typeof given === 'string' && !path.includes('token') ? ` (${JSON.stringify(given.slice(0, 80))})` : ''
  const message = `${[type, ...path].join('.')}${shown}: ${issue?.message ?? 'unreadable'}.`
  if (path.at(-1) === 'name') throw new RelayError('NAME_INVALID', message, { details: { id } })
  throw bad(id, message)
}

const bad = (id: number | null, message: string): RelayError =>
  new RelayError('BAD_REQUEST', message, { details: { id } })

const requests = new Set<string>(LocalRequest.options.map((option) => option.shape.type.value))

const unknown = (id: number | null, type: string): RelayError =>
  new RelayError(
    'UNKNOWN_FRAME',
    `This daemon knows no request ${JSON.stringify(type.slice(0, 40))}: see agent-relay/schema for those it knows, or restart it after an update: agent-relay down, then agent-relay up`,
    { details: { id } },
  )

const isId = (id: unknown): boolean => typeof id === 'number' && Number.isSafeInteger(id) && id >= 0

/** Whether this is certainly a Send without the rarer options, and nothing beside it. */
function isSend(frame: Record<string, unknown>): boolean {
  const hasThread = frame.thread !== undefined
  return (
    frame.type === 'send' &&
    isId(frame.id) &&
    typeof frame.to === 'string' &&
    frame.to.length <= 200 &&
    typeof frame.body === 'string' &&
    (!hasThread || (typeof frame.thread === 'string' && frame.thread.length > 0 && frame.thread.length <= 100)) &&
    // A field that is not read here makes one more.
    Object.keys(frame).length === (hasThread ? 5 : 4)
  )
}

/** Whether this is certainly a Mark, and nothing beside it. */
function isMark(frame: Record<string, unknown>): boolean {
  const { ids } = frame
  return (
    frame.type === 'mark' &&
    isId(frame.id) &&
    (frame.state === 'injected' || frame.state === 'seen') &&
    Array.isArray(ids) &&
    ids.length > 0 &&
    ids.length <= 1000 &&
    ids.every(isPlainId) &&
    Object.keys(frame).length === 4
  )
}
