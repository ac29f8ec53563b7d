import type { MachineView, StatusView } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import type { Paint } from './io.ts'
import { alignColumns } from './table.ts'
import { ago, latency, shortDuration } from './times.ts'

type Status = z.infer<typeof StatusView>
type Machine = z.infer<typeof MachineView>

export const command = defineCommand({
  name: 'status',
  summary: 'this machine, its peers, and what is wrong',
  hasJson: true,
  examples: ['agent-relay status', 'agent-relay status --json | jq .machines'],
  async run({ options }, io) {
    const status = await withDaemon((connection) => connection.request('status', {}))
    if (options.json) {
      const { version: daemonVersion, ...rest } = status
      io.printJson({ daemonVersion, ...rest })
      return EXIT.ok
    }
    for (const line of statusLines(status, io.paint)) io.print(line)
    return EXIT.ok
  },
})

/** One row a machine, self first, then the health check, as Tailscale does. */
export function statusLines(status: Status, paint: Paint): string[] {
  const machines = [...status.machines].sort(
    (a, b) =>
      Number(b.isSelf) - Number(a.isSelf) || Number(b.isOnline) - Number(a.isOnline) || a.name.localeCompare(b.name),
  )
  const rows = machines.map((machine) => [
    machine.isOnline || machine.isSelf ? paint('bold', machine.name) : paint('dim', machine.name),
    `${machine.person}@`,
    machine.platform,
    machineState(machine, paint),
  ])
  const health = [...linkHealth(status), ...status.health]
  return [
    ...alignColumns(rows),
    '',
    paint('dim', `# ${heading(status)}`),
    ...(health.length > 0
      ? ['', paint('yellow', '# Health check:'), ...health.map((line) => paint('yellow', `#     - ${line}`))]
      : []),
  ]
}

function machineState(machine: Machine, paint: Paint): string {
  const agents = machine.agents.length > 0 ? `; ${machine.agents.join(', ')}` : ''
  const waiting = machine.queued > 0 ? `, ${machine.queued} queued` : ''
  if (machine.isSelf) return `${paint('green', 'self')}${waiting}${agents}`
  if (!machine.isOnline) return `${paint('dim', `offline, last seen ${ago(machine.lastSeenAt)}`)}${waiting}${agents}`
  const path = machine.path ? ` ${machine.path}` : ''
  const took = machine.latencyMs === null ? '' : ` ${latency(machine.latencyMs)}`
  const traffic = machine.sent + machine.received > 0 ? `, tx ${machine.sent} rx ${machine.received}` : ''
  const word = machine.path ? `active;${path}${took}` : 'online'
  return `${paint('green', word)}${traffic}${waiting}${agents}`
}

function heading(status: Status): string {
  const uptime = `up ${shortDuration(status.uptimeMs)}, pid ${status.pid}, ${status.version}`
  if (!status.linked) return `not linked: serves this machine only; ${uptime}`
  const took = status.control.latencyMs === null ? '' : ` ${latency(status.control.latencyMs)}`
  return `${status.linked.orgName} at ${status.linked.url}: ${status.control.state}${took}; ${uptime}`
}

function linkHealth(status: Status): string[] {
  if (!status.linked || status.control.state === 'connected' || status.control.reason === null) return []
  return [status.control.reason]
}
