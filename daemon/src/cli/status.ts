import type { MachineView, StatusView } from '@agent-relay/protocol/local'
import type { z } from 'zod'
import { defineCommand } from './command.ts'
import { withDaemon } from './daemon-connection.ts'
import { EXIT } from './exit.ts'
import type { Paint } from './io.ts'
import { pathWords } from './link-words.ts'
import { alignColumns } from './table.ts'
import { ago, latency, shortDuration } from './times.ts'

type Status = z.infer<typeof StatusView>
type Machine = z.infer<typeof MachineView>

export const command = defineCommand({
  name: 'status',
  summary: 'this machine, its peers, and what is wrong',
  hasJson: true,
  details:
    'A line a machine: the path that messages to it take now and how long that takes, what was sent to it and came from it since the\ndaemon runs, what it has not confirmed, its agents. Below: who can read messages, and what a person should do.',
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
  const sealing = sealingWords(status)
  return [
    ...alignColumns(rows),
    '',
    paint('dim', `# ${heading(status)}`),
    ...(sealing === undefined ? [] : [paint('dim', `# ${sealing}`)]),
    ...(health.length > 0
      ? ['', paint('yellow', '# Health check:'), ...health.map((line) => paint('yellow', `#     - ${line}`))]
      : []),
  ]
}

function machineState(machine: Machine, paint: Paint): string {
  const agents = machine.agents.length > 0 ? `; ${machine.agents.join(', ')}` : ''
  const waiting = waitingWords(machine)
  if (machine.isSelf) return `${paint('green', 'self')}${waiting}${agents}`
  const path = pathWords(machine)
  // A machine that lost the control plane is offline by the roster, and may be here all the same.
  if (!machine.isOnline && machine.link?.state !== 'direct')
    return `${paint('dim', `offline, last seen ${ago(machine.lastSeenAt)}`)}${waiting}${agents}`
  const traffic = machine.sent + machine.received > 0 ? `, tx ${machine.sent} rx ${machine.received}` : ''
  return `${paint('green', path === null ? 'online' : `active; ${path}`)}${traffic}${waiting}${agents}`
}

/** What is under way is waited for; the rest waits. An older daemon tells no difference. */
function waitingWords({ queued, unacked = 0 }: Machine): string {
  const rest = queued - unacked
  return `${unacked > 0 ? `, ${unacked} unacked` : ''}${rest > 0 ? `, ${rest} queued` : ''}`
}

function heading(status: Status): string {
  const uptime = `up ${shortDuration(status.uptimeMs)}, pid ${status.pid}, ${status.version}`
  if (!status.linked) return `not linked: serves this machine only; ${uptime}`
  const took = status.control.latencyMs === null ? '' : ` ${latency(status.control.latencyMs)}`
  return `${status.linked.orgName} at ${status.linked.url}: ${status.control.state}${took}; ${uptime}`
}

/** Who can read what agents write to agents of other machines. */
function sealingWords({ sealing, linked }: Status): string | undefined {
  if (sealing === undefined || linked === null) return undefined
  const { mode, unsealed } = sealing
  const names = `${unsealed.slice(0, 3).join(', ')}${unsealed.length > 3 ? ` and ${unsealed.length - 3} more` : ''}`
  const old = `${unsealed.length === 1 ? 'its' : 'their'} agent-relay is too old`
  if (mode === 'off')
    return `messages are not sealed: the control plane can read ${unsealed.length === 0 ? 'them' : `what goes to ${names}, because ${old}`}`
  const open = unsealed.length === 0 ? '' : `; not sealed to ${names}, because ${old}`
  return mode === 'archived'
    ? `messages are sealed between machines, and ${linked.orgName}'s archive is on: its members read them in the dashboard${open}`
    : `messages are sealed between machines: the control plane cannot read them${open}`
}

function linkHealth(status: Status): string[] {
  if (!status.linked || status.control.state === 'connected' || status.control.reason === null) return []
  return [status.control.reason]
}
