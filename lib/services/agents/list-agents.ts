import { requireMembership } from '#lib/access/authorize.ts'
import type { Actor, Ctx } from '../context.ts'
import { buildRoster } from '../roster/build-roster.ts'

export type RegisteredAgent = {
  name: string
  daemonId: string
  machine: string
  owner: string
  status: string
  epoch: number
  project: string | null
  client: string | null
  model: string | null
  lastSeenAt: string | null
}

/** Every name of the organization, in the order of names. @throws DomainError NOT_FOUND for foreigners */
export async function listAgents(ctx: Ctx<Actor>, input: { org: string }): Promise<{ agents: RegisteredAgent[] }> {
  const { org } = await requireMembership(ctx, input.org)
  const roster = await buildRoster(ctx.db, org.id)
  const machineNames = new Map(roster.machines.map(({ id, name }) => [id, name]))
  return {
    agents: roster.agents.map((agent) => ({
      name: agent.name,
      daemonId: agent.machine,
      machine: machineNames.get(agent.machine) ?? '',
      owner: agent.person,
      status: agent.status,
      epoch: agent.epoch,
      project: agent.project,
      client: agent.client,
      model: agent.model,
      lastSeenAt: agent.lastSeenAt === null ? null : new Date(agent.lastSeenAt).toISOString(),
    })),
  }
}
