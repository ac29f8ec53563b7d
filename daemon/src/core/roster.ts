/** The organization as this machine knows it, by id and by name key. It outlives restarts, so that addresses resolve offline. */
import { nameKey, type Roster, type RosterAgent, type RosterDelta, type RosterMachine } from '@agent-relay/protocol'

export type RosterIndex = {
  version: number
  org: Roster['org']
  machines: Map<string, RosterMachine>
  /** By name key. */
  agents: Map<string, RosterAgent>
}

export function indexRoster(roster: Roster): RosterIndex {
  return {
    version: roster.version,
    org: roster.org,
    machines: new Map(roster.machines.map((machine) => [machine.id, machine])),
    agents: new Map(roster.agents.map((agent) => [nameKey(agent.name), agent])),
  }
}

/** The roster as it is stored and sent. */
export const rosterOf = (index: RosterIndex): Roster => ({
  version: index.version,
  org: index.org,
  machines: [...index.machines.values()],
  agents: [...index.agents.values()],
})

/** Applies a delta in place; false when it is not made for this version, and then nothing changed. */
export function applyDelta(index: RosterIndex, delta: RosterDelta): boolean {
  if (delta.base !== index.version) return false
  for (const id of delta.removedMachines) index.machines.delete(id)
  for (const key of delta.removedAgents) index.agents.delete(key)
  for (const machine of delta.machines) index.machines.set(machine.id, machine)
  for (const agent of delta.agents) index.agents.set(nameKey(agent.name), agent)
  index.version = delta.version
  return true
}
