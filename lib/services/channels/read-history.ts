import type { ChannelMessage } from '@agent-relay/protocol'
import { authorize, isId, requireMembership } from '#lib/access/authorize.ts'
import { DomainError } from '#lib/errors.ts'
import type { Ctx, MachineActor } from '../context.ts'
import { findChannel } from './find-channel.ts'

type Input = { channel: string; before?: string | undefined; limit?: number | undefined }

/** A page of bodies stays within a line of the local socket, whatever its JSON has to escape. */
const pageBytes = 512 * 1024
const pageMessages = 50

/**
 * What was said in a channel, oldest first: the newest page, or the one before the message `before`. Channels are open to
 * the whole organization, and so any machine of it may read them.
 * @throws DomainError NOT_FOUND, BAD_REQUEST
 */
export async function readHistory(
  ctx: Ctx<MachineActor>,
  { channel: name, before, limit = pageMessages }: Input,
): Promise<{ channel: string; messages: ChannelMessage[]; next: string | null }> {
  const { orgId } = ctx.actor
  authorize((await requireMembership(ctx, orgId)).role, 'message.read')
  const channel = await findChannel(ctx.db, { orgId, name })
  const rows = await ctx.db.dashboardMessage.findMany({
    where: { channelId: channel.id, ...(before !== undefined && { id: { lt: await rowOf(ctx, channel.id, before) } }) },
    orderBy: { id: 'desc' },
    take: Math.min(limit, pageMessages) + 1,
  })
  const fits: typeof rows = []
  let bytes = 0
  for (const row of rows.slice(0, Math.min(limit, pageMessages))) {
    bytes += row.sizeBytes
    if (fits.length > 0 && bytes > pageBytes) break
    fits.push(row)
  }
  const machines = await ctx.db.machine.findMany({
    where: { orgId, id: { in: fits.flatMap(({ fromMachineId }) => fromMachineId ?? []) } },
    select: { id: true, name: true },
  })
  const names = new Map(machines.map((machine) => [machine.id, machine.name]))
  const messages = fits.map(
    (row): ChannelMessage => ({
      id: row.messageId,
      from: row.fromMachineId === null ? `@${row.fromName}` : row.fromName,
      fromMachine: names.get(row.fromMachineId ?? '') ?? null,
      ...(row.thread !== null && { thread: row.thread }),
      ...(row.replyTo !== null && { replyTo: row.replyTo }),
      sentAt: row.sentAt.getTime(),
      body: row.body,
    }),
  )
  const isMore = rows.length > fits.length
  return { channel: channel.name, messages: messages.reverse(), next: isMore ? (messages[0]?.id ?? null) : null }
}

async function rowOf({ db }: Ctx, channelId: string, messageId: string): Promise<string> {
  const row = isId(messageId)
    ? await db.dashboardMessage.findFirst({ where: { channelId, messageId }, select: { id: true } })
    : null
  if (row) return row.id
  throw new DomainError('BAD_REQUEST', `${JSON.stringify(messageId.slice(0, 80))} is no message of this channel.`)
}
