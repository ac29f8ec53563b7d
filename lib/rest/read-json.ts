import type { z } from 'zod'
import { DomainError } from '#lib/errors.ts'

const usualBytes = 64 * 1024

/** @throws DomainError UNSUPPORTED_MEDIA_TYPE for a body that says that it is something else than JSON */
export function assertJson(request: Request): void {
  // A client that names none is believed; one that names another sends something else, or a form of a foreign page.
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== undefined && type !== '' && !/^application\/([\w.-]+\+)?json$/.test(type))
    throw new DomainError(
      'UNSUPPORTED_MEDIA_TYPE',
      `The body came as ${type.slice(0, 60)}: send JSON with Content-Type: application/json.`,
    )
}

/**
 * The body's bytes; stops reading where it becomes too long, whatever its headers promise.
 * @throws DomainError BAD_REQUEST, TOO_LARGE
 */
export async function readBytes(request: Request, maxBytes = usualBytes): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength
      if (size > maxBytes) throw new DomainError('TOO_LARGE', `The body is over ${maxBytes} bytes: send less at once.`)
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof DomainError) throw cause
    // Whoever asked is gone; nobody reads this, and it is no defect of ours.
    throw new DomainError('BAD_REQUEST', 'The body ended before its length: send all of it.', { cause })
  }
  return Buffer.concat(chunks)
}

/** The checked JSON. @throws DomainError BAD_REQUEST naming the field */
export function parseJson<T>(bytes: Buffer, schema: z.ZodType<T>): T {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new DomainError('BAD_REQUEST', 'The body is not JSON: send an object with Content-Type application/json.', {
      cause,
    })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const field = issue?.path.join('.') ?? ''
  throw new DomainError('BAD_REQUEST', `${field || 'The body'}: ${issue?.message ?? 'unreadable'}.`, {
    details: { field },
  })
}
