import { requireMembership } from '#lib/access/authorize.ts'
import { can } from '#lib/access/roles.ts'
import { writeAudit } from '#lib/audit/write-audit.ts'
import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { Actor, Ctx } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { findAgent } from './find-agent.ts'

/**
 * Frees a name. A name that is held is freed too (its holder's next message is fenced), so only its person or an admin may.
 * The row stays, released, so that a later claim goes on with the next epoch and older messages stay fenced.
 * @throws DomainError NOT_FOUND, FORBIDDEN
 */
export async function deleteAgent(ctx: Ctx<Actor>, input: { org: string; name: string }): Promise<{ done: true }> {
  const { org, role } = await requireMembership(ctx, input.org)
  await withTransaction(ctx.db, async (tx) => {
    await lockOrg(tx, org.id)
    const agent = await findAgent(tx, { orgId: org.id, name: input.name })
    const isOwn = ctx.actor.kind !== 'system' && agent.machine.userId === ctx.actor.userId
    if (!isOwn && !can(role, 'machine.revokeAny'))
      throw new DomainError('FORBIDDEN', `${agent.name} runs on another person's machine: ask them, or an admin.`)
    if (agent.releasedAt !== null) return
    await tx.agent.update({
      where: { id: agent.id },
      data: { releasedAt: new Date(), status: 'offline', epoch: { increment: 1 } },
    })
    await tx.channelMember.deleteMany({ where: { agentId: agent.id } })
    await bumpRoster(tx, org.id)
    await writeAudit(tx, ctx, {
      orgId: org.id,
      action: 'agent.delete',
      target: { kind: 'agent', id: agent.id, label: agent.name },
      before: { machine: agent.machine.name, epoch: agent.epoch },
    })
  })
  publish('roster', { orgId: org.id })
  publish('hint', { orgId: org.id, kinds: ['agents'] })
  return { done: true }
}
