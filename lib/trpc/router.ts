import { router } from './init.ts'
import { agentsRouter } from './routers/agents.ts'
import { linkRouter } from './routers/link.ts'
import { machinesRouter } from './routers/machines.ts'
import { meRouter } from './routers/me.ts'
import { messagesRouter } from './routers/messages.ts'
import { orgsRouter } from './routers/orgs.ts'
import { overviewRouter } from './routers/overview.ts'

export const appRouter = router({
  me: meRouter,
  orgs: orgsRouter,
  overview: overviewRouter,
  agents: agentsRouter,
  machines: machinesRouter,
  messages: messagesRouter,
  link: linkRouter,
})
export type AppRouter = typeof appRouter
