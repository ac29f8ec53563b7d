import { AgentStatus } from '@agent-relay/protocol'
import { z } from 'zod'
import { listAgents } from '../../services/reads/list-agents.ts'
import { orgProcedure, router, Search } from '../init.ts'

export const agentsRouter = router({
  list: orgProcedure
    .input(z.object({ q: Search.optional(), status: AgentStatus.optional() }))
    .query(({ ctx, input }) => listAgents(ctx, input)),
})
