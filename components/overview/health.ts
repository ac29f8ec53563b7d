/** The health of an organization in one sentence, from what its machines and messages did. Pure. */
import type { OverviewView } from '#lib/trpc/views.ts'
import { age, count, plural } from '../format/format.ts'

export type Health = { tone: 'ok' | 'warn' | 'fail' | 'off'; say: string; why: string }

export function readHealth(view: Pick<OverviewView, 'machines' | 'figures' | 'waitingByAgent'>, now: number): Health {
  const machines = view.machines.filter((machine) => machine.state === 'online' || machine.state === 'offline')
  const online = machines.filter((machine) => machine.state === 'online')
  const away = machines.filter((machine) => machine.state === 'offline')
  const { failed24h, delivered24h, waiting } = view.figures
  const lost =
    failed24h === 0
      ? 'nothing failed in the last 24 h'
      : `${count(failed24h)} failed in the last 24 h, each with a reason`

  if (machines.length === 0)
    return { tone: 'off', say: 'No machine is linked', why: 'Link one: its agents can then reach each other.' }
  if (online.length === 0)
    return {
      tone: 'off',
      say: machines.length === 1 ? `${machines[0]?.name} is offline` : `All ${machines.length} machines are offline`,
      why:
        waiting > 0
          ? `${plural(waiting, 'message')} wait until one is back: agent-relay up.`
          : 'Nothing waits. Start a daemon with agent-relay up.',
    }
  const longest = [...view.waitingByAgent].sort((a, b) => a.oldestAt - b.oldestAt)[0]
  if (longest) {
    const machine = away.find((each) => each.name === longest.machine)
    return {
      tone: 'warn',
      say: `Degraded: ${plural(waiting, 'message')} ${waiting === 1 ? 'waits' : 'wait'}`,
      why: machine
        ? `${machine.name} is offline${machine.lastSeenAt === null ? '' : ` for ${age(machine.lastSeenAt, now)}`}; the oldest, for ${longest.agent}, waits ${age(longest.oldestAt, now)}.`
        : `The oldest, for ${longest.agent} on ${longest.machine}, waits ${age(longest.oldestAt, now)}.`,
    }
  }
  const all = away.length === 0
  return {
    tone: failed24h > 0 && failed24h >= delivered24h ? 'fail' : 'ok',
    say: all
      ? machines.length === 1
        ? `${machines[0]?.name} is online`
        : `All ${machines.length} machines are online`
      : `${online.length} of ${machines.length} machines are online`,
    why: `Nothing waits, ${lost}.`,
  }
}
