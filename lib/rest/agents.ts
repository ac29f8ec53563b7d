import { AgentRegistration } from '@agent-relay/protocol'
import { requireMembership } from '#lib/access/authorize.ts'
import { DomainError } from '#lib/errors.ts'
import { claimName } from '#lib/services/agents/claim-name.ts'
import { deleteAgent } from '#lib/services/agents/delete-agent.ts'
import { listAgents } from '#lib/services/agents/list-agents.ts'
import { locateAgent } from '#lib/services/agents/locate-agent.ts'
import { endpoint } from './endpoint.ts'

export const getAgents = endpoint({ who: 'either' }, ({ ctx, params }) => listAgents(ctx, { org: params.org ?? '' }))

export const postAgent = endpoint(
  { who: 'machine', body: AgentRegistration, status: 201 },
  async ({ ctx, input, params }) => {
    await requireMembership(ctx, params.org ?? '')
    const { daemonId, ...claim } = input
    if (daemonId !== undefined && daemonId !== ctx.actor.machineId)
      throw new DomainError('FORBIDDEN', `This key registers names for machine ${ctx.actor.machineId} only.`)
    const result = await claimName(ctx, claim)
    if (!result.ok)
      throw new DomainError(result.error.code, result.error.message, { details: result.error.details ?? {} })
    return { name: result.name, epoch: result.epoch, daemonId: ctx.actor.machineId }
  },
)

export const getAgentLocation = endpoint({ who: 'either' }, ({ ctx, params }) =>
  locateAgent(ctx, { org: params.org ?? '', name: params.name ?? '' }),
)

export const deleteAgentByName = endpoint({ who: 'either' }, ({ ctx, params }) =>
  deleteAgent(ctx, { org: params.org ?? '', name: params.name ?? '' }),
)
