/** `history` and `read`: what this machine sent and received, as far as it knows. */
import { nameKey } from '@agent-relay/protocol'
import type { HistoryEntry, LocalRequest, LocalResults } from '@agent-relay/protocol/local'
import type { State } from '../core/state.ts'
import { machineName } from '../core/words.ts'
import { RelayError } from '../errors.ts'
import { type StoredMessage, toMessage } from '../store/reader.ts'
import type { Wanted } from '../store/search-index.ts'
import { readQuestion } from '../store/words.ts'
import type { Service } from './context.ts'
import { damageNotice } from './damage.ts'
import { findMessage } from './find-message.ts'
import { sentView } from './views.ts'

type Request<T extends LocalRequest['type']> = Omit<Extract<LocalRequest, { type: T }>, 'type' | 'id'>
type Match = { from: number; to: number }

/** As many as a person scrolls through. */
export const LIMIT = 50
/** Lists carry so much of a text; `read` has it whole. */
const EXCERPT_CHARS = 1000
/** Of an excerpt, before what was searched for. */
const BEFORE_CHARS = 200

/** `agentKey`: an agent gets what it sent or received; null for the person, who gets everything of this machine. */
export async function listHistory(
  service: Service,
  request: Request<'history'>,
  agentKey: string | null,
): Promise<LocalResults['history']> {
  const { thread, limit = LIMIT } = request
  await committed(service)
  const before = request.before === undefined ? Number.MAX_SAFE_INTEGER : placeOf(service, request.before)
  const parties = [
    ...(agentKey === null ? [] : [agentKey]),
    ...(request.with === undefined ? [] : [nameKey(request.with)]),
  ]
  const phrases = request.search === undefined ? [] : readQuestion(request.search)
  const found = await find()
  const [state, now] = [service.engine.state(), service.engine.now()]
  const notice = damageNotice(service.store)
  return {
    entries: found.reverse().map(({ row, match }) => listed(state, row, now, match)),
    ...(notice !== undefined && { notice }),
  }

  async function find(): Promise<Found[]> {
    // Signs without a word among them: a question to which nothing is the answer.
    if (request.search !== undefined && phrases.length === 0) return []
    if (phrases.length > 0 || parties.length > 0 || thread !== undefined)
      return search(service, { phrases, parties, thread, before, limit })
    return service.store.read.newest(before, limit).map((row) => ({ row }))
  }
}

type Found = { row: StoredMessage; match?: Match | undefined }

/** Of what the index says, what is still there. */
async function search(service: Service, wanted: Wanted): Promise<Found[]> {
  const { store } = service
  if (store.search === undefined)
    throw new RelayError('UNAVAILABLE', 'This daemon keeps no search index: start it with agent-relay up.')
  const hits = await store.search.find(wanted)
  return hits.flatMap(({ n, match }): Found[] => {
    const row = service.store.read.message(n)
    return row === undefined ? [] : [{ row, match }]
  })
}

/** One message whole; when its own recipient asks, it is marked as seen. */
export async function readMessage(
  service: Service,
  request: Request<'read'>,
  agentKey: string | null,
): Promise<LocalResults['read']> {
  await committed(service)
  const row = findMessage(service, request.message)
  const isOfAgent = agentKey === nameKey(row.fromAgent) || agentKey === nameKey(row.toAgent)
  if (agentKey !== null && !isOfAgent)
    throw new RelayError(
      'FORBIDDEN',
      `Message ${row.id} is between ${row.fromAgent} and ${row.toAgent}: its own agents and the person of this machine read it.`,
    )
  const reader = agentKey ?? ownKey(service)
  if (row.way !== 'out' && row.state !== 'seen' && row.state !== 'failed' && reader === nameKey(row.toAgent))
    service.mark(reader, [row.id], 'seen', () => undefined)
  return { entry: historyEntry(service.engine.state(), row, service.engine.now()) }
}

/** Resolves when everything asked for before is on disk. */
export const committed = (service: Service): Promise<void> =>
  new Promise((resolve) => service.engine.afterCommit(resolve))

const ownKey = (service: Service): string | undefined => {
  const name = service.personName()
  return name === null ? undefined : nameKey(name)
}

function placeOf(service: Service, id: string): number {
  const row = service.store.read.byId(id)
  if (row !== undefined) return row.n
  throw new RelayError('NOT_FOUND', `This machine knows no message ${id}: ask for the history without "before".`)
}

export const listed = (state: State, row: StoredMessage, now: number, match?: Match): HistoryEntry =>
  excerptOf(historyEntry(state, row, now), match)

function historyEntry(state: State, row: StoredMessage, now: number): HistoryEntry {
  const { note } = sentView(state, row, now)
  return {
    message: toMessage(row, machineName(state, row.fromMachine)),
    toMachine: machineName(state, row.toMachine),
    way: row.way,
    state: row.state,
    note: row.state === 'queued' || row.state === 'stored' || row.state === 'failed' ? note : null,
    at: Math.floor(row.at),
    sizeBytes: row.sizeBytes,
    isExcerpt: false,
    ...(row.retryOf !== null && { retryOf: row.retryOf }),
    ...(row.retriedAs !== null && { retriedAs: row.retriedAs }),
  }
}

/** A long text is cut around what was searched for, never within a character of two units. */
function excerptOf(entry: HistoryEntry, match: Match | undefined): HistoryEntry {
  const { body } = entry.message
  if (body.length <= EXCERPT_CHARS) return { ...entry, ...(match && { match }) }
  let from = Math.max(0, Math.min((match?.from ?? 0) - BEFORE_CHARS, body.length - EXCERPT_CHARS))
  let to = from + EXCERPT_CHARS
  if (isLowSurrogate(body, from)) from++
  if (isLowSurrogate(body, to)) to--
  return {
    ...entry,
    message: { ...entry.message, body: body.slice(from, to) },
    isExcerpt: true,
    ...(match && { match: { from: match.from - from, to: Math.min(match.to, to) - from } }),
  }
}

const isLowSurrogate = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xdc00
