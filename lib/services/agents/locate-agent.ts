import { requireMembership } from '#lib/access/authorize.ts'
import type { Actor, Ctx } from '../context.ts'
import { findAgent } from './find-agent.ts'

export type AgentLocation = {
  name: string
  daemonId: string
  machine: string
  /** Where to dial the machine directly; null while it is reached through the relay only. */
  endpoint: string | null
  status: string
  epoch: number
}

/** Which machine an agent is on. @throws DomainError NOT_FOUND with the nearest names */
export async function locateAgent(ctx: Ctx<Actor>, input: { org: string; name: string }): Promise<AgentLocation> {
  const { org } = await requireMembership(ctx, input.org)
  const agent = await findAgent(ctx.db, { orgId: org.id, name: input.name })
  const session = await ctx.db.machineSession.findFirst({
    where: { machineId: agent.machineId, endedAt: null, leaseExpiresAt: { gt: new Date() } },
    select: { id: true },
  })
  return {
    name: agent.name,
    daemonId: agent.machineId,
    machine: agent.machine.name,
    endpoint: null,
    status: session && agent.releasedAt === null ? agent.status : 'offline',
    epoch: agent.epoch,
  }
}
