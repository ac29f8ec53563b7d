import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { findAgent } from '../agents/find-agent.ts'
import type { Tx, UserActor } from '../context.ts'
import { changeChannels } from './change-channels.ts'
import { findChannel } from './find-channel.ts'
import { addMember, type Member, removeMember } from './membership.ts'
import { askingPerson } from './person-member.ts'

type Input = { name: string; agent?: string | undefined }

/** The person who asks, or this agent of the organization, gets the channel's messages from now on. @throws DomainError NOT_FOUND, PLAN_LIMIT */
export const joinChannel = (ctx: OrgCtx<UserActor>, input: Input): Promise<{ done: true }> =>
  change(ctx, input, addMember)

/** The person who asks, or this agent, gets them no longer. @throws DomainError NOT_FOUND */
export const leaveChannel = (ctx: OrgCtx<UserActor>, input: Input): Promise<{ done: true }> =>
  change(ctx, input, removeMember)

async function change(
  ctx: OrgCtx<UserActor>,
  { name, agent }: Input,
  apply: typeof addMember,
): Promise<{ done: true }> {
  authorize(ctx.role, 'channel.write')
  await changeChannels(ctx.db, ctx.org.id, async (tx) => {
    const channel = await findChannel(tx, { orgId: ctx.org.id, name })
    return { hasChanged: await apply(tx, ctx, channel, await memberOf(tx, ctx, agent)) }
  })
  return { done: true }
}

async function memberOf(tx: Tx, ctx: OrgCtx<UserActor>, agent: string | undefined): Promise<Member> {
  if (agent === undefined) {
    const { handle, userId } = await askingPerson(tx, ctx)
    return { label: `@${handle}`, userId }
  }
  const { id, name } = await findAgent(tx, { orgId: ctx.org.id, name: agent })
  return { label: name, agentId: id }
}
