/** The control plane's names and machines: who holds what under which epoch, as far as delivery depends on it. */
import {
  type AgentClaim,
  type ClaimResult,
  nameKey,
  type Roster,
  type RosterAgent,
  type RosterDelta,
  type RosterMachine,
} from '@agent-relay/protocol'
import { identityOf } from './identities.ts'
import { WALL_MS } from './machine-clock.ts'

type Holding = { name: string; machine: string; epoch: number; isReleased: boolean; claim: AgentClaim }

/** A lost connection says nothing about the programs: their names stay held for this long. */
const LEASE_MS = 90_000

/** Nothing is sealed here: it only says that this machine can be asked. */
const SEALS = [{ key: 'A'.repeat(43), signature: 'A'.repeat(86) }]

export const ORG = { id: 'org', slug: 'acme', name: 'Acme' }

export type Registry = ReturnType<typeof createRegistry>

export function createRegistry(now: () => number, all: readonly string[]) {
  let machines = all
  const names = new Map<string, Holding>()
  /** When each machine's connection ended; Infinity while it is there. */
  const heardAt = new Map<string, number>()
  let version = 0
  let lastText = ''
  let current: Roster = { version, org: ORG, machines: [], agents: [] }

  function claim(machine: string, wanted: AgentClaim): ClaimResult {
    const key = nameKey(wanted.name)
    const held = names.get(key)
    if (held === undefined) {
      names.set(key, { name: wanted.name, machine, epoch: 1, isReleased: false, claim: wanted })
      return { ok: true, name: wanted.name, epoch: 1 }
    }
    const isLeased = !held.isReleased && now() < (heardAt.get(held.machine) ?? 0) + LEASE_MS
    if (held.machine !== machine && isLeased) {
      const message = `The name ${held.name} is held by ${held.machine}.`
      return { ok: false, name: wanted.name, error: { code: 'NAME_TAKEN', message } }
    }
    if (held.machine !== machine || wanted.epoch !== held.epoch) held.epoch++
    Object.assign(held, { machine, isReleased: false, claim: wanted })
    return { ok: true, name: held.name, epoch: held.epoch }
  }

  function release(machine: string, isLetGo: (key: string) => boolean): void {
    for (const [key, held] of names) if (held.machine === machine && isLetGo(key)) held.isReleased = true
  }

  return {
    claim,
    sync(machine: string, agents: AgentClaim[]): ClaimResult[] {
      const kept = new Set(agents.map(({ name }) => nameKey(name)))
      release(machine, (key) => !kept.has(key))
      return agents.map((agent) => claim(machine, agent))
    },
    release: (machine: string, name: string) => release(machine, (key) => key === nameKey(name)),
    setStatus(machine: string, name: string, status: AgentClaim['status']): void {
      const held = names.get(nameKey(name))
      if (held?.machine === machine) held.claim = { ...held.claim, status }
    },
    holder: (name: string): Holding | undefined => names.get(nameKey(name)),
    hasMachine: (id: string): boolean => machines.includes(id),
    /** The machine is not one of the organization's any more, and its names are free. */
    revoke(id: string): void {
      machines = machines.filter((machine) => machine !== id)
      for (const [key, held] of names) if (held.machine === id) names.delete(key)
    },
    isHeard(machine: string, isConnected: boolean): void {
      heardAt.set(machine, isConnected ? Number.POSITIVE_INFINITY : now())
    },
    /** Its version counts up with every change. */
    roster(): Roster {
      const made = { machines: machines.map(machineOf), agents: [...names.values()].map(agentOf) }
      const text = JSON.stringify(made)
      if (text !== lastText) current = { version: ++version, org: ORG, ...made }
      lastText = text
      return current
    },
  }

  function machineOf(id: string): RosterMachine {
    const heard = heardAt.get(id)
    return {
      id,
      name: id,
      person: id,
      platform: 'linux',
      version: '0',
      publicKey: identityOf(id).publicKey,
      seals: SEALS,
      isOnline: heard === Number.POSITIVE_INFINITY,
      lastSeenAt: heard === undefined || heard === Number.POSITIVE_INFINITY ? null : Math.floor(WALL_MS + heard),
    }
  }
}

const agentOf = ({ name, machine, epoch, isReleased, claim: { status, project } }: Holding): RosterAgent => ({
  name,
  machine,
  epoch,
  status: isReleased ? 'offline' : status,
  project,
  client: null,
  model: null,
  person: machine,
  lastSeenAt: null,
})

export function deltaOf(before: Roster, after: Roster): RosterDelta {
  const changed = <T>(from: T[], to: T[], key: (item: T) => string): T[] => {
    const known = new Map(from.map((item) => [key(item), JSON.stringify(item)]))
    return to.filter((item) => known.get(key(item)) !== JSON.stringify(item))
  }
  const removed = <T>(from: T[], to: T[], key: (item: T) => string): string[] => {
    const left = new Set(to.map(key))
    return from.map(key).filter((one) => !left.has(one))
  }
  return {
    base: before.version,
    version: after.version,
    machines: changed(before.machines, after.machines, ({ id }) => id),
    agents: changed(before.agents, after.agents, ({ name }) => name),
    removedMachines: removed(before.machines, after.machines, ({ id }) => id),
    removedAgents: removed(before.agents, after.agents, ({ name }) => nameKey(name)),
  }
}
