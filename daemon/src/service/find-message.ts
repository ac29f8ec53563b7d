/** A message as people name it: by its id, or by the beginning of it. */
import { RelayError } from '../errors.ts'
import type { StoredMessage } from '../store/reader.ts'
import type { Service } from './context.ts'
import { damageNotice } from './damage.ts'

/** Throws NOT_FOUND when this machine knows none, and CONFLICT when it knows several. */
export function findMessage(service: Service, text: string): StoredMessage {
  const exact = service.store.read.byId(text)
  if (exact !== undefined) return exact
  const rows = service.store.read.byPrefix(text.toLowerCase(), 50)
  const ids = [...new Set(rows.map((row) => row.id))]
  const [first] = rows
  if (first !== undefined && ids.length === 1) return first
  const notice = damageNotice(service.store)
  const lost = notice === undefined ? '' : ` Note: ${notice}`
  if (first === undefined)
    throw new RelayError(
      'NOT_FOUND',
      `This machine knows no message ${JSON.stringify(text)}: give the id that send printed, or look in agent-relay history.${lost}`,
    )
  throw new RelayError(
    'CONFLICT',
    `${ids.length} messages begin with ${text}: give more of the id, such as ${first.id}.`,
  )
}
