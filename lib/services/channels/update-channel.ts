import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { writeAudit } from '#lib/audit/write-audit.ts'
import type { ChannelRow } from '#lib/trpc/views.ts'
import type { UserActor } from '../context.ts'
import { changeChannels } from './change-channels.ts'
import { findChannel } from './find-channel.ts'
import { channelTarget } from './insert-channel.ts'
import { getChannel } from './list-channels.ts'

/** Says what the channel is about; an empty topic takes it away. @throws DomainError NOT_FOUND */
export async function updateChannel(
  ctx: OrgCtx<UserActor>,
  input: { name: string; topic: string | null },
): Promise<ChannelRow> {
  authorize(ctx.role, 'channel.write')
  const topic = input.topic?.trim() || null
  await changeChannels(ctx.db, ctx.org.id, async (tx) => {
    const channel = await findChannel(tx, { orgId: ctx.org.id, name: input.name })
    if (channel.topic === topic) return { hasChanged: false }
    await tx.channel.update({ where: { id: channel.id }, data: { topic } })
    await writeAudit(tx, ctx, {
      orgId: ctx.org.id,
      action: 'channel.update',
      target: channelTarget(channel),
      before: { topic: channel.topic },
      after: { topic },
    })
    return { hasChanged: true }
  })
  return getChannel(ctx, input.name)
}
