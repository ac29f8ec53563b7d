import type { OrgCtx } from '#lib/access/authorize.ts'
import type { UserActor } from '../context.ts'

/** Nobody counts further: lists show `999+`. */
const countedTo = 1_000

/** Messages from agents, and in channels that the person who asks is in, which they have not read; up to 1,000 of each. */
export async function countUnread({ db, org, actor }: OrgCtx<UserActor>): Promise<number> {
  const rows = await db.$queryRaw<{ unread: number }[]>`
    SELECT (
      (SELECT count(*) FROM (
        SELECT 1 FROM "DashboardMessage" m
        WHERE m."orgId" = ${org.id}::uuid AND m."userId" = ${actor.userId}::uuid AND m."seenAt" IS NULL LIMIT ${countedTo}
      ) direct)
      + (SELECT coalesce(sum(n), 0) FROM "ChannelMember" me JOIN LATERAL (
        SELECT count(*) AS n FROM (
          SELECT 1 FROM "DashboardMessage" m WHERE m."channelId" = me."channelId"
            AND m.id > coalesce(me."readUpTo", '00000000-0000-0000-0000-000000000000')
            AND m."fromUserId" IS DISTINCT FROM ${actor.userId}::uuid LIMIT ${countedTo}
        ) counted
      ) channel ON true WHERE me."orgId" = ${org.id}::uuid AND me."userId" = ${actor.userId}::uuid)
    )::int AS unread`
  return rows[0]?.unread ?? 0
}
