import { nameKey } from '@agent-relay/protocol'
import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { DomainError } from '#lib/errors.ts'
import type { ChannelRow } from '#lib/trpc/views.ts'
import type { UserActor } from '../context.ts'
import { changeChannels } from './change-channels.ts'
import { insertChannel } from './insert-channel.ts'
import { getChannel } from './list-channels.ts'
import { addMember } from './membership.ts'
import { askingPerson } from './person-member.ts'

/**
 * Makes a channel with the person who asks as its first member.
 * @throws DomainError NAME_INVALID, CONFLICT for a name that is taken, PLAN_LIMIT
 */
export async function createChannel(
  ctx: OrgCtx<UserActor>,
  input: { name: string; topic?: string | null },
): Promise<ChannelRow> {
  authorize(ctx.role, 'channel.write')
  const orgId = ctx.org.id
  const name = input.name.replace(/^#/, '')
  await changeChannels(ctx.db, orgId, async (tx) => {
    const known = await tx.channel.findUnique({ where: { orgId_nameKey: { orgId, nameKey: nameKey(name) } } })
    if (known)
      throw new DomainError('CONFLICT', `The channel #${known.name} exists already: join it, or choose another name.`, {
        details: { field: 'name' },
      })
    const person = await askingPerson(tx, ctx)
    const createdBy = `@${person.handle}`
    const topic = input.topic?.trim() || null
    const channel = await insertChannel(tx, ctx, { orgId, name, topic, createdBy, ownerId: ctx.actor.userId })
    await addMember(tx, ctx, channel, { label: createdBy, userId: ctx.actor.userId })
    return { hasChanged: true }
  })
  return getChannel(ctx, name)
}
