/** Who is in a channel: the two writes that people's and agents' verbs share, in the caller's transaction. */
import { writeAudit } from '#lib/audit/write-audit.ts'
import type { Channel } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import type { Actor, Ctx, Tx } from '../context.ts'
import { MEMBERS } from '../inbox/limits.ts'
import { channelTarget } from './insert-channel.ts'

/** `label` is an agent's name or `@handle`. */
export type Member = { label: string } & ({ agentId: string } | { userId: string })

const which = (member: Member) => ('agentId' in member ? { agentId: member.agentId } : { userId: member.userId })

/** False when it was one already. A person who joins has read what was said before. @throws DomainError PLAN_LIMIT */
export async function addMember(tx: Tx, ctx: Ctx<Actor>, channel: Channel, member: Member): Promise<boolean> {
  const key = { orgId: channel.orgId, channelId: channel.id, ...which(member) }
  if (await tx.channelMember.findFirst({ where: key })) return false
  const count = await tx.channelMember.count({ where: { channelId: channel.id } })
  if (count >= MEMBERS)
    throw new DomainError(
      'PLAN_LIMIT',
      `#${channel.name} has ${count} members and the limit is ${MEMBERS}: somebody must leave first.`,
      { details: { what: 'members', limit: MEMBERS, use: count } },
    )
  const newest =
    'userId' in member
      ? await tx.dashboardMessage.findFirst({
          where: { channelId: channel.id },
          orderBy: { id: 'desc' },
          select: { id: true },
        })
      : null
  await tx.channelMember.create({ data: { ...key, readUpTo: newest?.id ?? null } })
  await writeAudit(tx, ctx, {
    orgId: channel.orgId,
    action: 'channel.join',
    target: channelTarget(channel),
    after: { member: member.label },
  })
  return true
}

/** False when it was none. */
export async function removeMember(tx: Tx, ctx: Ctx<Actor>, channel: Channel, member: Member): Promise<boolean> {
  const { count } = await tx.channelMember.deleteMany({ where: { channelId: channel.id, ...which(member) } })
  if (count === 0) return false
  await writeAudit(tx, ctx, {
    orgId: channel.orgId,
    action: 'channel.leave',
    target: channelTarget(channel),
    before: { member: member.label },
  })
  return true
}
