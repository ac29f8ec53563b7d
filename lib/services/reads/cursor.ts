import { z } from 'zod'
import { DomainError } from '#lib/errors.ts'

/** Where a page ends: the time and id of its last row. Opaque to callers. */
export type Cursor = { sentAt: number; id: string }

const shape = z.tuple([z.number(), z.uuid()])

export const writeCursor = ({ sentAt, id }: Cursor): string =>
  Buffer.from(JSON.stringify([sentAt, id])).toString('base64url')

/** @throws DomainError BAD_REQUEST for a text that no page ever gave. */
export function readCursor(text: string): Cursor {
  try {
    const [sentAt, id] = shape.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { sentAt, id }
  } catch (cause) {
    throw new DomainError('BAD_REQUEST', 'The cursor is not one that a page gave: load the list from its start.', {
      cause,
    })
  }
}
