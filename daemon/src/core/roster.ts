/** The organization as this machine knows it, by id and by name key. It outlives restarts, so that addresses resolve offline. */
import {
  nameKey,
  type Roster,
  type RosterAgent,
  type RosterChannel,
  type RosterDelta,
  type RosterMachine,
  type RosterPerson,
} from '@agent-relay/protocol'

export type RosterIndex = {
  version: number
  org: Roster['org']
  machines: Map<string, RosterMachine>
  /** By name key. */
  agents: Map<string, RosterAgent>
  /** The control plane's own machine; undefined when it is too old to have people and channels. */
  cloud: string | undefined
  /** By handle key. */
  people: Map<string, RosterPerson>
  /** By name key. */
  channels: Map<string, RosterChannel>
  /** The X25519 key to which every body is sealed for the organization's archive, too; null while that is off. */
  archive: string | null
}

export function indexRoster(roster: Roster): RosterIndex {
  return {
    version: roster.version,
    org: roster.org,
    machines: new Map(roster.machines.map((machine) => [machine.id, machine])),
    agents: new Map(roster.agents.map((agent) => [nameKey(agent.name), agent])),
    cloud: roster.cloud,
    people: byHandle(roster.people ?? []),
    channels: byName(roster.channels ?? []),
    archive: roster.archive ?? null,
  }
}

/** Whether that machine is not, or no more, one of the organization's; nobody is before there is a roster. */
export const isRemoved = (roster: RosterIndex | null, machine: string): boolean =>
  roster !== null && !roster.machines.has(machine) && machine !== roster.cloud

const byHandle = (people: RosterPerson[]) => new Map(people.map((person) => [nameKey(person.handle), person]))
const byName = (channels: RosterChannel[]) => new Map(channels.map((channel) => [nameKey(channel.name), channel]))

/** The roster as it is stored and sent. */
export const rosterOf = (index: RosterIndex): Roster => ({
  version: index.version,
  org: index.org,
  machines: [...index.machines.values()],
  agents: [...index.agents.values()],
  ...(index.cloud !== undefined && { cloud: index.cloud }),
  people: [...index.people.values()],
  channels: [...index.channels.values()],
  ...(index.archive !== null && { archive: index.archive }),
})

/** Applies a delta in place; false when it is not made for this version, and then nothing changed. */
export function applyDelta(index: RosterIndex, delta: RosterDelta): boolean {
  if (delta.base !== index.version || delta.version <= delta.base) return false
  for (const id of delta.removedMachines) index.machines.delete(id)
  for (const key of delta.removedAgents) index.agents.delete(key)
  for (const machine of delta.machines) index.machines.set(machine.id, machine)
  for (const agent of delta.agents) index.agents.set(nameKey(agent.name), agent)
  if (delta.people !== undefined) index.people = byHandle(delta.people)
  if (delta.channels !== undefined) index.channels = byName(delta.channels)
  if (delta.archive !== undefined) index.archive = delta.archive
  index.version = delta.version
  return true
}
