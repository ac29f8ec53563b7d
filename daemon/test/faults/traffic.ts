/** Messages in all directions, and ways that break, for as long as a test wants it so. */
import type { Agent } from './agent.ts'
import type { ProxiedMachine, Scene } from './scene.ts'

export type Traffic = { stop(): void }

/** Every pair of agents, both ways and also within a machine: one message each, every `everyMs`. */
export function startTraffic({ agents, atEnd }: Pick<Scene, 'agents' | 'atEnd'>, everyMs = 30): Traffic {
  const timer = setInterval(() => {
    for (const from of agents) for (const to of agents) if (from !== to) void from.send(to)
  }, everyMs)
  const stop = () => clearInterval(timer)
  atEnd(stop)
  return { stop }
}

const MESSAGES_A_BREAK = 20

/** A machine's connections are reset whenever so many messages came over them: mailboxes fill and empty all the time. */
export function breakWays({ machines, agents, bell, atEnd }: Scene): Traffic {
  let isOver = false
  const watch = async (machine: ProxiedMachine) => {
    const isThere = new Set(agents.filter((agent) => agent.machine !== machine).map(({ name }) => name))
    const here = agents.filter((agent) => agent.machine === machine)
    const seen = new Map<Agent, number>()
    let came = 0
    const count = (): number => {
      for (const agent of here) {
        came += agent.handedOver.slice(seen.get(agent)).filter(({ from }) => isThere.has(from)).length
        seen.set(agent, agent.handedOver.length)
      }
      return came
    }
    while (!isOver) {
      const next = count() + MESSAGES_A_BREAK
      await bell.until(() => isOver || count() >= next)
      if (!isOver) machine.proxy.reset()
    }
  }
  for (const machine of machines) void watch(machine)
  const stop = () => {
    isOver = true
    bell.ring()
  }
  atEnd(stop)
  return { stop }
}
