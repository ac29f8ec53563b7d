import { nameKey } from '@agent-relay/protocol'
import { authorize, requireMembership } from '#lib/access/authorize.ts'
import { DomainError } from '#lib/errors.ts'
import type { Ctx, MachineActor, Tx } from '../context.ts'
import { changeChannels } from './change-channels.ts'
import { findChannel } from './find-channel.ts'
import { insertChannel } from './insert-channel.ts'
import { addMember, type Member, removeMember } from './membership.ts'

type Input = { agent: string; channel: string }

/**
 * An agent of the asking machine gets the channel's messages from now on. A channel that does not exist is made.
 * @throws DomainError NOT_FOUND for an agent that this machine does not hold, NAME_INVALID, PLAN_LIMIT
 */
export async function joinAsAgent(ctx: Ctx<MachineActor>, input: Input): Promise<{ channel: string; isNew: boolean }> {
  const { orgId, userId } = ctx.actor
  authorize((await requireMembership(ctx, orgId)).role, 'channel.write')
  const name = input.channel.replace(/^#/, '')
  const { channel, isNew } = await changeChannels(ctx.db, orgId, async (tx) => {
    const member = await ownAgent(tx, ctx, input.agent)
    const known = await tx.channel.findUnique({ where: { orgId_nameKey: { orgId, nameKey: nameKey(name) } } })
    const channel =
      known ?? (await insertChannel(tx, ctx, { orgId, name, topic: null, createdBy: member.label, ownerId: userId }))
    const hasJoined = await addMember(tx, ctx, channel, member)
    return { hasChanged: hasJoined || !known, channel, isNew: !known }
  })
  return { channel: channel.name, isNew }
}

/** An agent of the asking machine gets them no longer. @throws DomainError NOT_FOUND */
export async function leaveAsAgent(ctx: Ctx<MachineActor>, input: Input): Promise<{ channel: string }> {
  const { orgId } = ctx.actor
  authorize((await requireMembership(ctx, orgId)).role, 'channel.write')
  const { channel } = await changeChannels(ctx.db, orgId, async (tx) => {
    const member = await ownAgent(tx, ctx, input.agent)
    const channel = await findChannel(tx, { orgId, name: input.channel })
    return { hasChanged: await removeMember(tx, ctx, channel, member), channel }
  })
  return { channel: channel.name }
}

async function ownAgent(tx: Tx, { actor }: Ctx<MachineActor>, name: string): Promise<Member> {
  const { orgId, machineId } = actor
  const agent = await tx.agent.findUnique({ where: { orgId_nameKey: { orgId, nameKey: nameKey(name) } } })
  if (agent?.machineId === machineId) return { label: agent.name, agentId: agent.id }
  throw new DomainError(
    'NOT_FOUND',
    `${JSON.stringify(name)} is not an agent of this machine at the control plane: start it with agent-relay run, then join.`,
  )
}
