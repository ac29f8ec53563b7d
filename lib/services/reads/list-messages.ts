import { authorize, isId, type OrgCtx } from '#lib/access/authorize.ts'
import { Prisma } from '#lib/db/generated/client.ts'
import type { MessagePage } from '#lib/trpc/views.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { like } from './like.ts'
import { isFailed, isWaiting, messageRows } from './message-rows.ts'

export type MessageFilter = {
  cursor?: string | null
  limit?: number
  state?: 'all' | 'waiting' | 'failed'
  q?: string
  /** ms since 1970 */
  since?: number
}

const defaultLimit = 50

/**
 * One page of message headers, newest first, by keyset: rows that arrive meanwhile shift nothing. `q` is looked for in the
 * names of agents and machines and in the thread; a whole message id finds that message.
 * @throws DomainError BAD_REQUEST for a cursor that no page gave.
 */
export async function listMessages(ctx: OrgCtx, input: MessageFilter): Promise<MessagePage> {
  authorize(ctx.role, 'message.read')
  const limit = input.limit ?? defaultLimit
  const [rows, totals] = await Promise.all([messageRows(ctx, whereOf(input), limit + 1), totalsOf(ctx)])
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { rows: page, nextCursor: rows.length > limit && last ? writeCursor(last) : null, ...totals }
}

function whereOf({ cursor, state, q, since }: MessageFilter): Prisma.Sql {
  const parts = [Prisma.sql`TRUE`]
  if (state === 'waiting') parts.push(isWaiting)
  if (state === 'failed') parts.push(isFailed)
  if (since !== undefined) parts.push(Prisma.sql`t."sentAt" >= ${at(since)}`)
  if (cursor) {
    const { sentAt, id } = readCursor(cursor)
    parts.push(Prisma.sql`(t."sentAt", t."messageId") < (${at(sentAt)}, ${id}::uuid)`)
  }
  const text = q?.trim()
  if (text && isId(text)) parts.push(Prisma.sql`t."messageId" = ${text}::uuid`)
  else if (text)
    parts.push(
      Prisma.sql`concat_ws(' ', t."fromAgent", t."toAgent", t.thread, t.via, f.name, r.name) ILIKE ${like(text)}`,
    )
  return Prisma.join(parts, ' AND ')
}

/** Columns are timestamps without a zone that hold UTC, to the millisecond. */
const at = (ms: number): Prisma.Sql => Prisma.sql`(to_timestamp(${ms}::float8 / 1000) AT TIME ZONE 'UTC')`

async function totalsOf({ db, org }: OrgCtx): Promise<Pick<MessagePage, 'total15m' | 'waiting' | 'failed24h'>> {
  const rows = await db.$queryRaw<Pick<MessagePage, 'total15m' | 'waiting' | 'failed24h'>[]>`
    SELECT
      (SELECT count(*)::int FROM "MessageTrace" WHERE "orgId" = ${org.id}::uuid
        AND "sentAt" > now() - interval '15 minutes') AS "total15m",
      (SELECT count(*)::int FROM "MessageTrace" WHERE "orgId" = ${org.id}::uuid AND state IN ('queued', 'stored')) AS waiting,
      (SELECT count(*)::int FROM "MessageTrace" WHERE "orgId" = ${org.id}::uuid AND state = 'failed'
        AND "sentAt" > now() - interval '24 hours') AS "failed24h"`
  return rows[0] as Pick<MessagePage, 'total15m' | 'waiting' | 'failed24h'>
}
