import { authorize, isId, type OrgCtx } from '#lib/access/authorize.ts'
import { Prisma } from '#lib/db/generated/client.ts'
import type { MessagePage } from '#lib/trpc/views.ts'
import { searchBodies } from '../archive/search-bodies.ts'
import { plainText } from '../plain-text.ts'
import { type Cursor, readCursor, writeCursor } from './cursor.ts'
import { like } from './like.ts'
import { isFailed, isWaiting, messageRows, within24h } from './message-rows.ts'

export type MessageFilter = {
  cursor?: string | null
  limit?: number
  state?: 'all' | 'waiting' | 'failed'
  q?: string
  /** ms since 1970 */
  since?: number
}

const defaultLimit = 50

/** A search that finds nothing reads this many headers (some 0.1 s) and then lets the caller decide whether to go on. */
const searchedPerPage = 50_000

/**
 * One page of message headers, newest first, by keyset: rows that arrive meanwhile shift nothing. `q` is looked for in the
 * names of agents and machines, in the thread, and as words in the bodies that the archive has; a whole message id finds that
 * message. A page of a search can be short, or
 * empty, and still have a `nextCursor`: older messages are not searched yet.
 * @throws DomainError BAD_REQUEST for a cursor that no page gave.
 */
export async function listMessages(ctx: OrgCtx, input: MessageFilter): Promise<MessagePage> {
  authorize(ctx.role, 'message.read')
  const limit = input.limit ?? defaultLimit
  const text = plainText(input.q ?? '').trim()
  const isSearch = text !== '' && !isId(text)
  const range = rangeOf(input)
  const end = isSearch ? await searchEnd(ctx, range) : null
  const within = [range, stateOf(input), ...(end ? [atOrAfter(end)] : [])]
  const where = [...within, ...(text ? [await matches(ctx, text, within, limit + 1)] : [])]
  const [rows, totals] = await Promise.all([messageRows(ctx, Prisma.join(where, ' AND '), limit + 1), totalsOf(ctx)])
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : end
  return { rows: page, nextCursor: last ? writeCursor(last) : null, ...totals }
}

function stateOf({ state }: MessageFilter): Prisma.Sql {
  if (state === 'waiting') return isWaiting
  return state === 'failed' ? isFailed : Prisma.sql`TRUE`
}

function rangeOf({ cursor, since }: MessageFilter): Prisma.Sql {
  const parts = [Prisma.sql`TRUE`]
  if (since !== undefined) parts.push(Prisma.sql`t."sentAt" >= ${at(since)}`)
  if (cursor) {
    const { sentAt, id } = readCursor(cursor)
    parts.push(Prisma.sql`(t."sentAt", t."messageId") < (${at(sentAt)}, ${id}::uuid)`)
  }
  return Prisma.join(parts, ' AND ')
}

const atOrAfter = ({ sentAt, id }: Cursor): Prisma.Sql =>
  Prisma.sql`(t."sentAt", t."messageId") >= (${at(sentAt)}, ${id}::uuid)`

/** The oldest header that this page of a search reads; null when there are fewer. */
async function searchEnd({ db, org }: OrgCtx, range: Prisma.Sql): Promise<Cursor | null> {
  const rows = await db.$queryRaw<Cursor[]>`
    SELECT (extract(epoch FROM t."sentAt") * 1000)::float8 AS "sentAt", t."messageId"::text AS id FROM "MessageTrace" t
    WHERE t."orgId" = ${org.id}::uuid AND ${range}
    ORDER BY t."sentAt" DESC, t."messageId" DESC OFFSET ${searchedPerPage - 1} LIMIT 1`
  return rows[0] ?? null
}

/** No page needs more of what only a body says than fills it. */
async function matches(ctx: OrgCtx, text: string, within: Prisma.Sql[], limit: number): Promise<Prisma.Sql> {
  if (isId(text)) return Prisma.sql`t."messageId" = ${text}::uuid`
  const [named, ids] = await Promise.all([
    namesMatch(ctx, text),
    searchBodies(ctx, text, { where: Prisma.join(within, ' AND '), limit }),
  ])
  return ids.length === 0 ? named : Prisma.sql`(${named} OR t."messageId" = ANY(${ids}::uuid[]))`
}

async function namesMatch({ db, org }: OrgCtx, text: string): Promise<Prisma.Sql> {
  const pattern = like(text)
  const named = Prisma.sql`concat_ws(' ', t."fromAgent", t."toAgent", t.thread, t.via) ILIKE ${pattern}`
  const machines = await db.$queryRaw<{ id: string }[]>`
    SELECT id::text FROM "Machine" WHERE "orgId" = ${org.id}::uuid AND name ILIKE ${pattern}`
  if (machines.length === 0) return named
  const ids = Prisma.sql`(${Prisma.join(machines.map(({ id }) => Prisma.sql`${id}::uuid`))})`
  return Prisma.sql`(${named} OR t."fromMachineId" IN ${ids} OR t."toMachineId" IN ${ids})`
}

/** Columns are timestamps without a zone that hold UTC, to the millisecond. */
const at = (ms: number): Prisma.Sql => Prisma.sql`(to_timestamp(${ms}::float8 / 1000) AT TIME ZONE 'UTC')`

async function totalsOf({ db, org }: OrgCtx): Promise<Pick<MessagePage, 'total15m' | 'waiting' | 'failed24h'>> {
  const rows = await db.$queryRaw<Pick<MessagePage, 'total15m' | 'waiting' | 'failed24h'>[]>`
    SELECT
      (SELECT count(*)::int FROM "MessageTrace" WHERE "orgId" = ${org.id}::uuid
        AND "sentAt" > now() - interval '15 minutes') AS "total15m",
      (SELECT count(*)::int FROM "MessageTrace" t WHERE t."orgId" = ${org.id}::uuid AND ${isWaiting}) AS waiting,
      (SELECT count(*)::int FROM "MessageTrace" t WHERE t."orgId" = ${org.id}::uuid AND ${isFailed} AND ${within24h}) AS "failed24h"`
  return rows[0] as Pick<MessagePage, 'total15m' | 'waiting' | 'failed24h'>
}
