import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import { alignColumns } from './table.ts'
import { ago, latency } from './times.ts'

export const command = defineCommand({
  name: 'machines',
  summary: 'the machines of the organization',
  hasJson: true,
  async run({ options }, io) {
    const { machines } = await withDaemon((connection) => connection.request('status', {}))
    if (options.json) {
      io.printJson({ machines })
      return EXIT.ok
    }
    const rows = machines.map((machine) => [
      io.paint('bold', machine.name),
      machine.isSelf
        ? 'self'
        : machine.isOnline || machine.link?.state === 'direct'
          ? 'online'
          : `offline, last seen ${ago(machine.lastSeenAt)}`,
      machine.person,
      machine.platform,
      machine.link?.state === 'direct' ? `direct ${machine.link.kind}` : (machine.path ?? '-'),
      machine.latencyMs === null ? '-' : latency(machine.latencyMs),
      machine.agents.join(', ') || '-',
    ])
    const head = ['NAME', 'STATUS', 'PERSON', 'PLATFORM', 'PATH', 'LATENCY', 'AGENTS']
    for (const line of alignColumns([head, ...rows])) io.print(line)
    return EXIT.ok
  },
})
