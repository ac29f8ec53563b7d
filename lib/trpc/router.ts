import { router } from './init.ts'
import { agentsRouter } from './routers/agents.ts'
import { channelsRouter } from './routers/channels.ts'
import { inboxRouter } from './routers/inbox.ts'
import { linkRouter } from './routers/link.ts'
import { machinesRouter } from './routers/machines.ts'
import { meRouter } from './routers/me.ts'
import { messagesRouter } from './routers/messages.ts'
import { networkRouter } from './routers/network.ts'
import { orgsRouter } from './routers/orgs.ts'
import { overviewRouter } from './routers/overview.ts'

export const appRouter = router({
  me: meRouter,
  orgs: orgsRouter,
  overview: overviewRouter,
  agents: agentsRouter,
  machines: machinesRouter,
  network: networkRouter,
  messages: messagesRouter,
  inbox: inboxRouter,
  channels: channelsRouter,
  link: linkRouter,
})
export type AppRouter = typeof appRouter
