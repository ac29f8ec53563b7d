/**
 * The roster of each organization that has machines here, in memory: the relay asks it who is who without touching Postgres.
 * It follows the bus; each new version goes to the organization's machines as the delta of exactly the one before.
 */
import { nameKey, type Roster, type RosterAgent, type RosterDelta, type RosterMachine } from '@agent-relay/protocol'
import type { Db } from '#lib/services/context.ts'
import { buildRoster } from '#lib/services/roster/build-roster.ts'
import { rosterDelta } from '#lib/services/roster/roster-delta.ts'
import { listen } from './bus.ts'

/** Changes come in bursts (a daemon claims its names): one delta for all of them. */
const debounceMs = 50

export type Directory = {
  readonly roster: Roster
  agent(name: string): RosterAgent | undefined
  machine(id: string): RosterMachine | undefined
  /** Reads the database again; the read begins after the call, and callers of one moment share it. */
  refresh(): Promise<void>
}

export type Directories = {
  /** The organization's directory, read from the database the first time. */
  open(orgId: string): Promise<Directory>
  /** Keeps the organization's directory while a machine of it is here; balanced by `release`. */
  retain(orgId: string): void
  release(orgId: string): void
  stop(): void
}

type Options = {
  db: Db
  onDelta(orgId: string, delta: RosterDelta): void
  onError(error: unknown, orgId: string): void
}

export function createDirectories({ db, onDelta, onError }: Options): Directories {
  const open = new Map<string, Directory>()
  const opening = new Map<string, Promise<Directory>>()
  const timers = new Map<string, NodeJS.Timeout>()
  const users = new Map<string, number>()

  async function load(orgId: string): Promise<Directory> {
    const directory = createDirectory(await buildRoster(db, orgId), {
      read: () => buildRoster(db, orgId),
      onDelta: (delta) => onDelta(orgId, delta),
    })
    open.set(orgId, directory)
    return directory
  }

  const unlisten = listen('roster', ({ orgId }) => {
    if (timers.has(orgId) || (!open.has(orgId) && !opening.has(orgId))) return
    const timer = setTimeout(() => {
      timers.delete(orgId)
      open
        .get(orgId)
        ?.refresh()
        .catch((error) => onError(error, orgId))
    }, debounceMs)
    timers.set(orgId, timer)
  })

  return {
    async open(orgId) {
      const known = open.get(orgId)
      if (known) return known
      let promise = opening.get(orgId)
      if (!promise) {
        promise = load(orgId).finally(() => opening.delete(orgId))
        opening.set(orgId, promise)
      }
      return promise
    },
    retain: (orgId) => void users.set(orgId, (users.get(orgId) ?? 0) + 1),
    release(orgId) {
      const left = (users.get(orgId) ?? 0) - 1
      if (left > 0) return void users.set(orgId, left)
      users.delete(orgId)
      open.delete(orgId)
      clearTimeout(timers.get(orgId))
      timers.delete(orgId)
    },
    stop() {
      unlisten()
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
      open.clear()
    },
  }
}

type Source = { read(): Promise<Roster>; onDelta(delta: RosterDelta): void }

function createDirectory(first: Roster, { read, onDelta }: Source): Directory {
  let roster = first
  let agents = new Map<string, RosterAgent>()
  let machines = new Map<string, RosterMachine>()
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  function index(): void {
    agents = new Map(roster.agents.map((agent) => [nameKey(agent.name), agent]))
    machines = new Map(roster.machines.map((machine) => [machine.id, machine]))
  }
  index()

  async function update(): Promise<void> {
    const fresh = await read()
    const delta = rosterDelta(roster, fresh)
    if (!delta) return
    roster = fresh
    index()
    onDelta(delta)
  }

  function start(): Promise<void> {
    running = update().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    get roster() {
      return roster
    },
    agent: (name) => agents.get(nameKey(name)),
    machine: (id) => machines.get(id),
    refresh() {
      if (!running) return start()
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = undefined
          return start()
        })
      return next
    },
  }
}
