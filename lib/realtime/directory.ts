/**
 * The roster of each organization that has machines here, in memory: the relay asks it who is who without touching Postgres.
 * It follows the bus; each new version goes to the organization's machines as the delta of exactly the one before.
 */
import {
  type Freshness,
  nameKey,
  type Roster,
  type RosterAgent,
  type RosterDelta,
  type RosterMachine,
  type Signed,
} from '@agent-relay/protocol'
import { signValue } from '@agent-relay/protocol/crypto'
import type { Db } from '#lib/services/context.ts'
import { controlKeyOf, type Signer } from '#lib/services/keys/org-keys.ts'
import { buildRoster } from '#lib/services/roster/build-roster.ts'
import { rosterDelta } from '#lib/services/roster/roster-delta.ts'
import { listen } from './bus.ts'

/** Changes come in bursts (a daemon claims its names): one delta for all of them. */
const debounceMs = 50
/** After a read that failed: until the database is back, machines hold an older version than it has. */
const retryMs = 2_000
/** One statement for all heartbeats of this long: two rounds of them, and far below ROSTER_SOFT_MS. */
const freshMs = 30_000

export type Directory = {
  readonly roster: Roster
  /** The public half of the key that signs for this organization. */
  readonly controlKey: string
  agent(name: string): RosterAgent | undefined
  machine(id: string): RosterMachine | undefined
  /** The roster as it goes to machines that check it. */
  signed(): Signed
  /** When its version was the newest: a moment ago, or as of the last read that worked. */
  fresh(): Signed
  /** Reads the database again; the read begins after the call, and callers of one moment share it. */
  refresh(): Promise<void>
}

/** What the bus says of an organization. */
type Follower = Directory & {
  /** It changed. */
  outdated(): void
  /** This machine is not in it any more, whatever was read last. */
  revoked(machineId: string): void
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
  onDelta(orgId: string, delta: RosterDelta, signed: Signed): void
  onError(error: unknown, orgId: string): void
}

export function createDirectories({ db, onDelta, onError }: Options): Directories {
  const open = new Map<string, Follower>()
  const opening = new Map<string, Promise<Follower>>()
  const timers = new Map<string, NodeJS.Timeout>()
  const users = new Map<string, number>()
  const failing = new Set<string>()

  async function load(orgId: string): Promise<Follower> {
    const signer = await controlKeyOf(db, orgId)
    const firstAt = Date.now()
    const directory = createDirectory(await buildRoster(db, orgId), {
      firstAt,
      signer,
      read: () => buildRoster(db, orgId),
      onDelta: (delta, signed) => onDelta(orgId, delta, signed),
    })
    open.set(orgId, directory)
    return directory
  }

  async function follow(orgId: string): Promise<void> {
    try {
      const directory = open.get(orgId) ?? (await opening.get(orgId))
      await directory?.refresh()
      failing.delete(orgId)
    } catch (error) {
      // Nobody needs it any more.
      if (!open.has(orgId)) return
      // Said once an outage.
      if (!failing.has(orgId)) onError(error, orgId)
      failing.add(orgId)
      followIn(orgId, retryMs)
    }
  }

  function followIn(orgId: string, ms: number): void {
    if (timers.has(orgId)) return
    const timer = setTimeout(() => {
      timers.delete(orgId)
      void follow(orgId)
    }, ms)
    timers.set(orgId, timer)
  }

  const unlisten = [
    listen('roster', ({ orgId }) => {
      open.get(orgId)?.outdated()
      if (open.has(orgId) || opening.has(orgId)) followIn(orgId, debounceMs)
    }),
    // No waiting for others: until it is told, other machines keep their links to this one.
    listen('revoked', ({ orgId, machineId }) => {
      const directory = open.get(orgId)
      directory?.outdated()
      directory?.revoked(machineId)
      if (directory) void follow(orgId)
    }),
  ]

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
      failing.delete(orgId)
      clearTimeout(timers.get(orgId))
      timers.delete(orgId)
    },
    stop() {
      for (const stop of unlisten) stop()
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
      open.clear()
    },
  }
}

type Source = {
  firstAt: number
  signer: Signer
  read(): Promise<Roster>
  onDelta(delta: RosterDelta, signed: Signed): void
}

function createDirectory(first: Roster, { firstAt, signer, read, onDelta }: Source): Follower {
  let roster = first
  let agents = new Map<string, RosterAgent>()
  let machines = new Map<string, RosterMachine>()
  const gone = new Set<string>()
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  /** Changes heard of, and how many of them the roster has. */
  let heard = 0
  let known = 0
  /** When the read began that the roster is of. */
  let readAt = firstAt
  let signed: { version: number; roster: Signed } | undefined
  let fresh: { statement: Freshness; signed: Signed } | undefined

  function index(): void {
    agents = new Map(roster.agents.map((agent) => [nameKey(agent.name), agent]))
    machines = new Map(roster.machines.map((machine) => [machine.id, machine]))
    for (const id of gone) if (!machines.has(id)) gone.delete(id)
  }
  index()

  const sign = (kind: 'roster' | 'delta' | 'fresh', value: unknown): Signed =>
    signValue(signer.key, kind, first.org.id, value)

  async function update(): Promise<void> {
    const before = heard
    const begunAt = Date.now()
    const latest = await read()
    known = before
    readAt = begunAt
    const delta = rosterDelta(roster, latest)
    if (!delta) return
    roster = latest
    index()
    onDelta(delta, sign('delta', delta))
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
    controlKey: signer.publicKey,
    agent(name) {
      const agent = agents.get(nameKey(name))
      return agent && gone.has(agent.machine) ? undefined : agent
    },
    machine: (id) => (gone.has(id) ? undefined : machines.get(id)),
    signed() {
      if (signed?.version !== roster.version) signed = { version: roster.version, roster: sign('roster', roster) }
      return signed.roster
    },
    fresh() {
      const { version } = roster
      // While a change is known and not read yet, nothing is said of now.
      const at = heard === known ? Date.now() : readAt
      if (fresh?.statement.version !== version || Math.abs(at - fresh.statement.at) >= freshMs) {
        const statement: Freshness = { org: first.org.id, version, at }
        fresh = { statement, signed: sign('fresh', statement) }
      }
      return fresh.signed
    },
    outdated: () => void heard++,
    revoked: (machineId) => void gone.add(machineId),
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
