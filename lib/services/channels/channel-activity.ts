import type { OrgCtx } from '#lib/access/authorize.ts'
import type { UserActor } from '../context.ts'

export type ChannelActivity = {
  channelId: string
  lastAt: number | null
  lastFrom: string | null
  preview: string | null
  /** 0 for whoever is no member. */
  unread: number
}

/** Unread messages are counted up to this; a page shows `999+`. */
const countedTo = 1_000

/** The newest message of each channel and how many the person who asks has not read, by channel id. Times in ms since 1970. */
export async function channelActivity({
  db,
  org,
  actor,
}: Pick<OrgCtx<UserActor>, 'db' | 'org' | 'actor'>): Promise<Map<string, ChannelActivity>> {
  const rows = await db.$queryRaw<ChannelActivity[]>`
    SELECT c.id::text AS "channelId", (extract(epoch FROM last."storedAt") * 1000)::float8 AS "lastAt",
      CASE WHEN last."agentId" IS NULL THEN '@' || last."fromName" ELSE last."fromName" END AS "lastFrom",
      left(last.body, 1000) AS preview, coalesce(unread.n, 0) AS unread
    FROM "Channel" c
      LEFT JOIN LATERAL (
        SELECT * FROM "DashboardMessage" m WHERE m."channelId" = c.id ORDER BY m.id DESC LIMIT 1
      ) last ON true
      LEFT JOIN "ChannelMember" me ON me."channelId" = c.id AND me."userId" = ${actor.userId}::uuid
      LEFT JOIN LATERAL (
        SELECT count(*)::int AS n FROM (
          SELECT 1 FROM "DashboardMessage" m WHERE m."channelId" = c.id AND me.id IS NOT NULL
            AND m.id > coalesce(me."readUpTo", '00000000-0000-0000-0000-000000000000')
            AND m."fromUserId" IS DISTINCT FROM ${actor.userId}::uuid LIMIT ${countedTo}
        ) counted
      ) unread ON true
    WHERE c."orgId" = ${org.id}::uuid`
  return new Map(rows.map((row) => [row.channelId, row]))
}
