import { visibleText } from '../text/plain-text.ts'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import { alignColumns } from './table.ts'
import { ago } from './times.ts'

export const command = defineCommand({
  name: 'agents',
  summary: 'who can be written to, and where they are',
  details: '@names are people: what is sent to one is in their inbox in the dashboard.',
  hasJson: true,
  async run({ options }, io) {
    const { agents, people } = await withDaemon((connection) => connection.request('agents', {}))
    if (options.json) {
      io.printJson({ agents, people })
      return EXIT.ok
    }
    if (agents.length === 0) {
      io.say('No agents yet. Next: agent-relay run Alice -- COMMAND')
      return EXIT.ok
    }
    const rows = agents.map((agent) => [
      io.paint('bold', agent.name),
      agent.status === 'offline'
        ? io.paint('dim', `offline${agent.lastSeenAt === null ? '' : `, last seen ${ago(agent.lastSeenAt)}`}`)
        : io.paint('green', agent.status),
      agent.isHere ? `${agent.machine} (here)` : agent.machine,
      agent.person,
      agent.project ?? '-',
      agent.client ?? '-',
      agent.waiting > 0 ? String(agent.waiting) : '-',
    ])
    for (const { handle, name } of people)
      rows.push([io.paint('bold', `@${handle}`), '-', 'dashboard', visibleText(name), '-', '-', '-'])
    const head = ['NAME', 'STATUS', 'MACHINE', 'PERSON', 'PROJECT', 'CLIENT', 'WAITING']
    for (const line of alignColumns([head, ...rows])) io.print(line)
    return EXIT.ok
  },
})
