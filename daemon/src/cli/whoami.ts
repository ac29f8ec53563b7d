import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import { alignColumns } from './table.ts'

export const command = defineCommand({
  name: 'whoami',
  summary: 'as whom commands here speak',
  hasJson: true,
  async run({ options }, io) {
    const me = await withDaemon((connection) => connection.request('whoami', {}))
    if (options.json) {
      io.printJson(me)
      return EXIT.ok
    }
    const rows = [
      ['agent', me.agent ?? 'none: you speak as the person'],
      ['person', me.person],
      ['machine', `${me.machine} (${me.machineId})`],
      ['organization', me.org ?? 'none: agent-relay link'],
    ]
    for (const line of alignColumns(rows)) io.print(line)
    return EXIT.ok
  },
})
