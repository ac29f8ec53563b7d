import { limits, planNames } from '#lib/access/plans.ts'
import { DomainError } from '#lib/errors.ts'
import type { MachineActor, Tx } from '../context.ts'

/**
 * How many more names may be held. Free and Pro count the whole organization; Team and Enterprise count each person's
 * ("50 agents per user"). `take` uses one up.
 */
export async function agentAllowance(tx: Tx, actor: MachineActor): Promise<{ take(): void }> {
  const org = await tx.organization.findUniqueOrThrow({
    where: { id: actor.orgId },
    select: { plan: true, name: true },
  })
  const limit = limits[org.plan].agents
  const isPerPerson = org.plan === 'team' || org.plan === 'enterprise'
  let use = await tx.agent.count({
    where: {
      orgId: actor.orgId,
      releasedAt: null,
      machine: { revokedAt: null, ...(isPerPerson && { userId: actor.userId }) },
    },
  })
  return {
    take() {
      if (use >= limit)
        throw new DomainError(
          'PLAN_LIMIT',
          `${isPerPerson ? 'Your machines hold' : `${org.name} holds`} ${use} of ${limit} agents that the plan ${planNames[org.plan]} includes. Release one (agent-relay release NAME), or change the plan in the settings.`,
          { details: { what: 'agents', limit, use, plan: org.plan } },
        )
      use++
    },
  }
}
