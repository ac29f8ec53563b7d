import type { AgentStatus } from '@agent-relay/protocol'
import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { Prisma } from '#lib/db/generated/client.ts'
import type { ConversationRow } from '#lib/trpc/views.ts'
import { channelActivity } from '../channels/channel-activity.ts'
import type { UserActor } from '../context.ts'
import { conversationKey, previewOf } from './conversation-key.ts'
import { CONVERSATIONS, PREVIEW_CHARS } from './limits.ts'

type PersonCtx = Pick<OrgCtx<UserActor>, 'db' | 'org' | 'actor'>

/** What agents wrote to the person who asks, and the channels that they are in; the newest first. */
export async function listConversations(ctx: OrgCtx<UserActor>): Promise<ConversationRow[]> {
  authorize(ctx.role, 'inbox.use')
  const [direct, channels] = await Promise.all([agentRows(ctx), channelRows(ctx)])
  return [...direct, ...channels].sort((a, b) => b.lastAt - a.lastAt).slice(0, CONVERSATIONS)
}

type FlatRow = {
  name: string
  machine: string | null
  status: AgentStatus | null
  lastAt: number
  isMine: boolean
  fromName: string
  body: string
  unread: number
}

/** The person's conversations with agents, or with one of them; an agent that they have not talked to has no row. */
export async function agentRows(ctx: PersonCtx, agentId?: string): Promise<ConversationRow[]> {
  const { db, org, actor } = ctx
  const rows = await db.$queryRaw<FlatRow[]>`
    WITH unread AS (
      SELECT "agentId", count(*)::int AS n FROM "DashboardMessage"
      WHERE "orgId" = ${org.id}::uuid AND "userId" = ${actor.userId}::uuid AND "seenAt" IS NULL GROUP BY 1
    )
    SELECT a.name, CASE WHEN m."revokedAt" IS NULL THEN m.name END AS machine,
      CASE WHEN m."revokedAt" IS NOT NULL THEN NULL WHEN a."releasedAt" IS NOT NULL THEN 'offline' ELSE a.status::text END AS status,
      (extract(epoch FROM last."storedAt") * 1000)::float8 AS "lastAt", last."fromUserId" IS NOT NULL AS "isMine", last."fromName",
      left(last.body, 1000) AS body, coalesce(unread.n, 0) AS unread
    FROM "Agent" a JOIN "Machine" m ON m.id = a."machineId"
      JOIN LATERAL (
        SELECT "storedAt", "fromUserId", "fromName", body FROM "DashboardMessage" d
        WHERE d."orgId" = ${org.id}::uuid AND d."userId" = ${actor.userId}::uuid AND d."agentId" = a.id ORDER BY d.id DESC LIMIT 1
      ) last ON true
      LEFT JOIN unread ON unread."agentId" = a.id
    WHERE a."orgId" = ${org.id}::uuid ${agentId === undefined ? Prisma.empty : Prisma.sql`AND a.id = ${agentId}::uuid`}
    ORDER BY last."storedAt" DESC LIMIT ${CONVERSATIONS}`
  return rows.map(({ isMine, fromName, body, name, machine, status, lastAt, unread }) => ({
    key: conversationKey('agent', name),
    kind: 'agent',
    name,
    machine,
    status,
    lastAt,
    lastFrom: isMine ? `@${fromName}` : fromName,
    preview: previewOf(body, PREVIEW_CHARS),
    unread,
  }))
}

/** The channels that the person is in; with `channelId` that one, whether they are or not. */
export async function channelRows(ctx: PersonCtx, channelId?: string): Promise<ConversationRow[]> {
  const { db, org, actor } = ctx
  const [channels, activity] = await Promise.all([
    db.channel.findMany({
      where: {
        orgId: org.id,
        ...(channelId === undefined ? { members: { some: { userId: actor.userId } } } : { id: channelId }),
      },
    }),
    channelActivity(ctx),
  ])
  return channels.map((channel) => {
    const known = activity.get(channel.id)
    return {
      key: conversationKey('channel', channel.name),
      kind: 'channel',
      name: channel.name,
      machine: null,
      status: null,
      lastAt: known?.lastAt ?? channel.createdAt.getTime(),
      lastFrom: known?.lastFrom ?? channel.createdBy,
      preview: previewOf(known?.preview ?? '', PREVIEW_CHARS),
      unread: known?.unread ?? 0,
    }
  })
}
