/** Messages in all directions, whatever else happens. */
import type { Agent } from './agent.ts'

export type Traffic = { stop(): void }

/** Every pair of agents, both ways and also within a machine: one message each, every `everyMs`. */
export function startTraffic(agents: Agent[], everyMs = 20): Traffic {
  const timer = setInterval(() => {
    for (const from of agents) for (const to of agents) if (from !== to) void from.send(to)
  }, everyMs)
  return { stop: () => clearInterval(timer) }
}
