import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { writeAudit } from '#lib/audit/write-audit.ts'
import type { UserActor } from '../context.ts'
import { changeChannels } from './change-channels.ts'
import { findChannel } from './find-channel.ts'
import { channelTarget } from './insert-channel.ts'

/**
 * Ends a channel with its history; whoever made it may, and whoever may remove others'. What agents sent to it and is still
 * under way is refused, and they are told.
 * @throws DomainError NOT_FOUND, FORBIDDEN
 */
export async function removeChannel(ctx: OrgCtx<UserActor>, input: { name: string }): Promise<{ done: true }> {
  authorize(ctx.role, 'channel.write')
  await changeChannels(ctx.db, ctx.org.id, async (tx) => {
    const channel = await findChannel(tx, { orgId: ctx.org.id, name: input.name })
    if (channel.ownerId !== ctx.actor.userId) authorize(ctx.role, 'channel.removeAny')
    const [members, messages] = await Promise.all([
      tx.channelMember.count({ where: { channelId: channel.id } }),
      tx.dashboardMessage.count({ where: { channelId: channel.id } }),
    ])
    await tx.channel.delete({ where: { id: channel.id } })
    await writeAudit(tx, ctx, {
      orgId: ctx.org.id,
      action: 'channel.remove',
      target: channelTarget(channel),
      before: { topic: channel.topic, members, messages },
    })
    return { hasChanged: true }
  })
  return { done: true }
}
