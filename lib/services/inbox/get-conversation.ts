import { authorize, isId, type OrgCtx } from '#lib/access/authorize.ts'
import type { Prisma } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import type { ConversationMessage, ConversationPage, ConversationRow } from '#lib/trpc/views.ts'
import type { UserActor } from '../context.ts'
import { conversationKey } from './conversation-key.ts'
import { findConversation } from './find-conversation.ts'
import { PAGE } from './limits.ts'
import { agentRows, channelRows } from './list-conversations.ts'

const fields = {
  deliveries: { select: { agentName: true, state: true, reason: true }, orderBy: { id: 'asc' } },
} as const satisfies Prisma.DashboardMessageInclude
type Found = Prisma.DashboardMessageGetPayload<{ include: typeof fields }>

/**
 * The newest messages of a conversation, or those before `cursor`. A conversation that has not begun is an empty page.
 * Any member of the organization may read any channel.
 * @throws DomainError NOT_FOUND, BAD_REQUEST for a cursor that no page gave
 */
export async function getConversation(
  ctx: OrgCtx<UserActor>,
  input: { key: string; cursor?: string | null },
): Promise<ConversationPage> {
  authorize(ctx.role, 'inbox.use')
  if (input.cursor && !isId(input.cursor))
    throw new DomainError('BAD_REQUEST', 'The cursor is not one that a page gave: load the conversation from its end.')
  const found = await findConversation(ctx, input.key)
  const [rows, [known]] = await Promise.all([
    ctx.db.dashboardMessage.findMany({
      where: { ...found.where, ...(input.cursor && { id: { lt: input.cursor } }) },
      include: fields,
      orderBy: { id: 'desc' },
      take: PAGE + 1,
    }),
    'agentId' in found ? agentRows(ctx, found.agentId) : channelRows(ctx, found.channelId),
  ])
  const page = rows.slice(0, PAGE)
  const machines = await machineNames(ctx, page)
  return {
    conversation: known ?? (await notBegun(ctx, found.name)),
    rows: page.reverse().map((row) => messageRow(row, ctx.actor.userId, machines)),
    nextCursor: rows.length > PAGE ? (page[0]?.id ?? null) : null,
  }
}

function messageRow(row: Found, viewerId: string, machines: Map<string, string>): ConversationMessage {
  const isPerson = row.fromMachineId === null
  return {
    id: row.messageId,
    from: row.fromName,
    isPerson,
    isMine: row.fromUserId === viewerId,
    machine: machines.get(row.fromMachineId ?? '') ?? null,
    body: row.body,
    thread: row.thread,
    replyTo: row.replyTo,
    sentAt: row.sentAt.getTime(),
    receipts: isPerson
      ? row.deliveries.map(({ agentName, state, reason }) => ({ to: agentName, state, reason }))
      : null,
  }
}

async function machineNames({ db, org }: OrgCtx, rows: Found[]): Promise<Map<string, string>> {
  const ids = [...new Set(rows.flatMap(({ fromMachineId }) => fromMachineId ?? []))]
  const machines = await db.machine.findMany({
    where: { orgId: org.id, id: { in: ids } },
    select: { id: true, name: true },
  })
  return new Map(machines.map(({ id, name }) => [id, name]))
}

async function notBegun({ db, org }: OrgCtx, name: string): Promise<ConversationRow> {
  const agent = await db.agent.findFirst({ where: { orgId: org.id, name }, include: { machine: true } })
  const isGone = !agent || agent.machine.revokedAt !== null
  return {
    key: conversationKey('agent', name),
    kind: 'agent',
    name,
    machine: isGone ? null : agent.machine.name,
    status: isGone ? null : agent.releasedAt === null ? agent.status : 'offline',
    lastAt: agent?.createdAt.getTime() ?? 0,
    lastFrom: name,
    preview: '',
    unread: 0,
  }
}
