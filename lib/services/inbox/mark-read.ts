import { authorize, isId, type OrgCtx } from '#lib/access/authorize.ts'
import { withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { UserActor } from '../context.ts'
import { findConversation } from './find-conversation.ts'
import { oweReceipts } from './owed-receipts.ts'

/** A page of unread rows at a time, so that no transaction is long. */
const slice = 500

/**
 * The person has read the conversation up to the message `upTo`, or all of it: their senders' machines are told that each
 * message was seen, when they are there. Of a channel a message counts as seen when its first reader has.
 * @throws DomainError NOT_FOUND, BAD_REQUEST
 */
export async function markRead(
  ctx: OrgCtx<UserActor>,
  input: { key: string; upTo?: string | undefined },
): Promise<{ done: true }> {
  authorize(ctx.role, 'inbox.use')
  if (input.upTo !== undefined && !isId(input.upTo))
    throw new DomainError('BAD_REQUEST', `${JSON.stringify(input.upTo.slice(0, 80))} is not the id of a message.`)
  const { db, org } = ctx
  const found = await findConversation(ctx, input.key)
  const upTo = await rangeOf(ctx, input.upTo)
  const machineIds = new Set<string>()
  for (let isMore = true; isMore; ) {
    const seen = await withTransaction(db, async (tx) => {
      const unread = await tx.dashboardMessage.findMany({
        where: { ...found.where, ...upTo, seenAt: null },
        select: { id: true },
        orderBy: { id: 'asc' },
        take: slice,
      })
      // Asked again with the change: whoever reads at the same time tells of a message once.
      const rows = await tx.dashboardMessage.updateManyAndReturn({
        where: { id: { in: unread.map(({ id }) => id) }, seenAt: null },
        data: { seenAt: new Date() },
        select: { messageId: true, fromMachineId: true },
      })
      await oweReceipts(
        tx,
        rows.flatMap(({ messageId, fromMachineId }) =>
          fromMachineId === null ? [] : { machineId: fromMachineId, messageId, state: 'seen' as const },
        ),
      )
      for (const { fromMachineId } of rows) if (fromMachineId !== null) machineIds.add(fromMachineId)
      return unread
    })
    isMore = seen.length === slice
  }
  const wasBehind = 'channelId' in found && (await moveReader(ctx, found.channelId, upTo))
  if (machineIds.size > 0) publish('owed', { machineIds: [...machineIds] })
  if (machineIds.size > 0 || wasBehind) publish('hint', { orgId: org.id, kinds: ['inbox', 'channels'] })
  return { done: true }
}

async function moveReader(
  { db, actor }: OrgCtx<UserActor>,
  channelId: string,
  upTo: { id?: { lte: string } },
): Promise<boolean> {
  const newest = await db.dashboardMessage.findFirst({
    where: { channelId, ...upTo },
    orderBy: { id: 'desc' },
    select: { id: true },
  })
  if (!newest) return false
  const { count } = await db.channelMember.updateMany({
    where: { channelId, userId: actor.userId, OR: [{ readUpTo: null }, { readUpTo: { lt: newest.id } }] },
    data: { readUpTo: newest.id },
  })
  return count > 0
}

/** Messages are named by the id under which they travelled; their order is that of the rows. */
async function rangeOf({ db, org }: OrgCtx<UserActor>, upTo: string | undefined): Promise<{ id?: { lte: string } }> {
  if (upTo === undefined) return {}
  const row = await db.dashboardMessage.findFirst({ where: { orgId: org.id, messageId: upTo }, select: { id: true } })
  if (row) return { id: { lte: row.id } }
  throw new DomainError('NOT_FOUND', `There is no message ${upTo} in this conversation.`)
}
