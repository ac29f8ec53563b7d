import { type AgentClaim, nameKey, PERSON_CLIENT } from '@agent-relay/protocol'
import { agentLimit, isPerPerson, planNames } from '#lib/access/plans.ts'
import type { Prisma } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import type { MachineActor, Tx } from '../context.ts'

/**
 * How many more names may be held. Free and Pro count the whole organization; Team and Enterprise count each person's
 * ("50 agents per user"). A person's own name is no agent: one of each machine is free. `take` uses one up.
 */
export async function agentAllowance(tx: Tx, actor: MachineActor): Promise<{ take(claim: AgentClaim): void }> {
  const org = await tx.organization.findUniqueOrThrow({
    where: { id: actor.orgId },
    select: { plan: true, name: true },
  })
  const isOwn = isPerPerson(org.plan)
  const limit = agentLimit(org.plan, 1)
  const held: Prisma.AgentWhereInput = {
    orgId: actor.orgId,
    releasedAt: null,
    machine: { revokedAt: null, ...(isOwn && { userId: actor.userId }) },
  }
  const persons = await tx.agent.findMany({
    where: { ...held, client: PERSON_CLIENT },
    select: { machineId: true, nameKey: true },
  })
  let use = (await tx.agent.count({ where: held })) - new Set(persons.map(({ machineId }) => machineId)).size
  let person = persons.find(({ machineId }) => machineId === actor.machineId)?.nameKey
  return {
    take(claim) {
      if (claim.client === PERSON_CLIENT && person === undefined) {
        person = nameKey(claim.name)
        return
      }
      if (use >= limit)
        throw new DomainError(
          'PLAN_LIMIT',
          `${isOwn ? 'Your machines hold' : `${org.name} holds`} ${use} of ${limit} agents that the plan ${planNames[org.plan]} includes. Release one (agent-relay release NAME), or change the plan in the settings.`,
          { details: { what: 'agents', limit, use, plan: org.plan } },
        )
      use++
    },
  }
}
