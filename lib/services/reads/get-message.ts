import { Hop } from '@agent-relay/protocol'
import { z } from 'zod'
import { authorize, isId, type OrgCtx } from '#lib/access/authorize.ts'
import { Prisma } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import type { MessageDetail } from '#lib/trpc/views.ts'
import { messageRows } from './message-rows.ts'

const Hops = z.array(Hop)

/** The headers of one message with every hop that its sender's machine has reported, and its body if the archive has it. @throws DomainError NOT_FOUND */
export async function getMessage(ctx: OrgCtx, input: { id: string }): Promise<MessageDetail> {
  authorize(ctx.role, 'message.read')
  if (!isId(input.id)) throw notFound(input.id)
  const key = { orgId: ctx.org.id, messageId: input.id }
  const [rows, trace, archived] = await Promise.all([
    messageRows(ctx, Prisma.sql`t."messageId" = ${input.id}::uuid`, 1),
    ctx.db.messageTrace.findUnique({ where: { orgId_messageId: key }, select: { hops: true } }),
    ctx.db.archivedMessage.findUnique({ where: { orgId_messageId: key }, select: { body: true } }),
  ])
  const row = rows[0]
  if (!row || !trace) throw notFound(input.id)
  return { ...row, hops: Hops.parse(trace.hops), body: archived?.body ?? null }
}

const notFound = (id: string): DomainError =>
  new DomainError(
    'NOT_FOUND',
    `There is no message ${JSON.stringify(id.slice(0, 64))} here: traces are kept for 30 days, and a new one shows within seconds.`,
  )
