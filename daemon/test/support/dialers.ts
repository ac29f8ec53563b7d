/**
 * Many machines in one process that dial each other over real sockets: the shipped transport, runner and link manager of each.
 * Only the control plane (a roster, signals carried) and the core (who is told which links there are) are made up.
 */
import { createPrivateKey, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { PeerSignal, RosterMachine, Sealed } from '@agent-relay/protocol'
import { signText } from '@agent-relay/protocol/crypto'
import { indexRoster, type RosterIndex } from '../../src/core/roster.ts'
import type { Log } from '../../src/log.ts'
import { createSocketTransport } from '../../src/peers/socket-transport.ts'
import { type Identity, newIdentity, ORG } from '../../src/peers/testing.ts'
import type { PeerTransport } from '../../src/peers/transport.ts'
import type { Engine } from '../../src/service/engine.ts'
import { createLinkRunner, type LinkRunner } from '../../src/service/link-runner.ts'
import { createPeerMail } from '../../src/service/peer-mail.ts'
import type { Trust } from '../../src/service/trust.ts'
import type { Store } from '../../src/store/store.ts'
import { type WatchedSockets, watchSockets } from './watched-sockets.ts'

export type Dialer = {
  machine: string
  runner: LinkRunner
  /** Machines that the core believes to have a link to. */
  up: Set<string>
  /** How often the core was told that a link is gone, without another in its place. */
  losses(): number
  /** Probes that came, by their id: from whom, and the link by which. */
  probes: Map<string, { from: string; link: string }>
  /** Timers of the runner that wait. */
  timers(): number
  stop(): Promise<void>
}

export type Crowd = {
  dialers: Dialer[]
  sockets: WatchedSockets
  /** How the sockets of two machines are asked for. */
  pairOf(one: Dialer, other: Dialer): string
  /** Pairs of which each dialed while the other's dial was under way. */
  crossed(): number
  /** Dials that managers had under way at the same time, at most; those of the last pairs still wait for their sockets. */
  peak(): number
  /** What came of all dials. */
  outcomes(): Record<string, number>
  /** Signals wait until `release`. */
  hold(): void
  release(): void
  /** No dial is under way, and no connection was opened or closed, for `ms`; rejects after `withinMs`. */
  quiet(ms: number, withinMs: number): Promise<void>
  stop(): Promise<void>
}

/**
 * All machines share one processor, and a handshake must be over within 5 s: pairs of machines get their sockets in turn, both
 * ends of a pair at once.
 */
const PAIRS_AT_A_TIME = 24
/** Their clock is so much slower, or thousands of links that ask each other every 3 s whether they live would have it all. */
const PACE = 5

/** Machines that all know each other, each with a port of its own; they do nothing yet. `signalMs`: of each signal, 0 for none. */
export async function startDialers(count: number, signalMs: () => number = () => 0): Promise<Crowd> {
  const identities = Array.from({ length: count }, () => newIdentity())
  const roster = indexRoster({
    ...{ version: 1, org: { id: ORG, slug: 'acme', name: 'Acme' }, agents: [] },
    machines: identities.map(rosterMachine),
  })
  const sockets = watchSockets()
  const byId = new Map<string, Dialer>()
  const underWay = new Set<string>()
  const crossings = new Set<string>()
  const outcomes: Record<string, number> = {}
  const places = createPlaces(PAIRS_AT_A_TIME)
  let wanted = 0
  let peak = 0
  let held: (() => void)[] | undefined

  function carry(deliver: () => void): void {
    const go = (): void => {
      const ms = signalMs()
      if (ms > 0) setTimeout(deliver, ms)
      else setImmediate(deliver)
    }
    if (held === undefined) go()
    else held.push(go)
  }

  async function watched<T>(from: string, to: string, dial: () => Promise<T>): Promise<T> {
    const pair = pairKey(from, to)
    const own = `${from} ${to}`
    wanted++
    peak = Math.max(peak, wanted)
    const leave = await places.enter(pair)
    underWay.add(own)
    if (underWay.has(`${to} ${from}`)) crossings.add(pair)
    let outcome = 'linked'
    try {
      return await sockets.within(pair, dial)
    } catch (error) {
      outcome = (error as Error).message.replace(/\S*:\d+/g, 'it')
      throw error
    } finally {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      underWay.delete(own)
      wanted--
      leave()
    }
  }

  for (const identity of identities) {
    const { machine } = identity
    const dialer = await startDialer(identity, {
      roster,
      dial: (transport, dial) => watched(machine, dial.machine, () => transport.dial(dial)),
      signal: (to, id, sealed) => carry(() => byId.get(to)?.runner.signal({ from: machine, id, sealed })),
    })
    byId.set(machine, dialer)
  }
  const dialers = [...byId.values()]

  return {
    dialers,
    sockets,
    pairOf: (one, other) => pairKey(one.machine, other.machine),
    crossed: () => crossings.size,
    peak: () => peak,
    outcomes: () => outcomes,
    hold() {
      held ??= []
    },
    release() {
      for (const go of held ?? []) go()
      held = undefined
    },
    async quiet(ms, withinMs) {
      const until = performance.now() + withinMs
      while (wanted > 0 || performance.now() - sockets.changedAt() < ms) {
        if (performance.now() > until)
          throw new Error(`no quiet within ${withinMs} ms: ${wanted} dials, ${sockets.count()} open ends`)
        await pause(50)
      }
    },
    async stop() {
      await Promise.all(dialers.map((dialer) => dialer.stop()))
      sockets.stop()
    },
  }
}

/** Everybody of a group that has a place comes in at once; a place is free again when the last of its group has left. */
function createPlaces(max: number): { enter(group: string): Promise<() => void> } {
  const inside = new Map<string, number>()
  const waiting = new Map<string, (() => void)[]>()

  function leave(group: string): void {
    const left = (inside.get(group) as number) - 1
    if (left > 0) return void inside.set(group, left)
    inside.delete(group)
    const [next] = waiting
    if (next === undefined) return
    waiting.delete(next[0])
    inside.set(next[0], next[1].length)
    for (const go of next[1]) go()
  }

  return {
    async enter(group) {
      const others = inside.get(group)
      if (others !== undefined || inside.size < max) inside.set(group, (others ?? 0) + 1)
      else await new Promise<void>((resolve) => waiting.set(group, [...(waiting.get(group) ?? []), resolve]))
      return () => leave(group)
    },
  }
}

type World = {
  roster: RosterIndex
  dial(transport: PeerTransport, dial: Parameters<PeerTransport['dial']>[0]): ReturnType<PeerTransport['dial']>
  signal(to: string, id: string, sealed: Sealed): void
}

async function startDialer({ machine, publicKey, pem }: Identity, world: World): Promise<Dialer> {
  const key = createPrivateKey(pem)
  const trust: Trust = {
    self: {
      ...{ org: ORG, machine, bootId: randomUUID(), identityKey: pem },
      identity: { publicKey, sign: (text) => signText(key, text) },
    },
    ...{ roster: world.roster, isOnline: true, why: null },
  }
  const probes: Dialer['probes'] = new Map()
  const timers = new Set<NodeJS.Timeout>()
  const up = new Set<string>()
  let losses = 0
  let port = 0
  // Nothing but links is asked of the core here, and nothing of the store.
  const engine = {
    now: () => performance.now() / PACE,
    submit(event: Parameters<Engine['submit']>[0]) {
      if (event.type !== 'peer') throw new Error(`nobody sends what leads to ${event.type}`)
      if (event.isUp) up.add(event.machine)
      // Between two links it hears of the end of the first one, in the same breath as of the second.
      else if (up.delete(event.machine)) queueMicrotask(() => void (up.has(event.machine) || losses++))
    },
  } as Engine
  const runner = createLinkRunner({
    ...{ self: trust.self as NonNullable<Trust['self']>, log: quietLog, engine: () => engine, store: {} as Store },
    mail: { out: () => [], take: () => undefined },
    control: {
      trust: () => trust,
      behind: () => undefined,
      signal: async ({ to, id, sealed }) => world.signal(to, id, sealed),
    },
    // What seals signals has its own tests; here everybody can read them, and nobody does.
    sealer: { sealSignal: (_, signal) => inTheClear(signal), openSignal: (_, sealed) => read(sealed) },
    dial: (dial) => world.dial(transport, { ...dial, timeoutMs: dial.timeoutMs * PACE }),
    newMail: createPeerMail,
    ways: () => ({ candidates: [{ kind: 'lan', host: '127.0.0.1', port }], hosts: ['127.0.0.1'], canPunch: false }),
    learn: async () => null,
    localPort: () => undefined,
    probed(from, { id }, way) {
      probes.set(id, { from, link: typeof way === 'object' ? way.link : way })
    },
    changed: () => undefined,
    online: () => undefined,
    after(ms, act) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        act()
      }, ms * PACE)
      timers.add(timer)
      return () => {
        timers.delete(timer)
        clearTimeout(timer)
      }
    },
    entropy: { id: () => randomUUID(), unit: Math.random },
  })
  const transport = await createSocketTransport(runner.side)
  port = await transport.listen(0)
  runner.trusted()
  runner.reachable(false)
  return {
    ...{ machine, runner, up, probes, losses: () => losses, timers: () => timers.size },
    async stop() {
      runner.stop()
      await transport.close()
    },
  }
}

const pairKey = (one: string, other: string): string => [one, other].sort().join(' ')

const rosterMachine = ({ machine, publicKey }: Identity, n: number): RosterMachine => ({
  ...{ id: machine, name: `m${n}`, person: 'Ann', platform: 'linux', version: '1.0.0', publicKey },
  seals: [{ key: publicKey, signature: '' }],
  ...{ isOnline: true, lastSeenAt: null },
})

const inTheClear = (signal: PeerSignal): Sealed => ({
  by: 'A'.repeat(11),
  to: 'A'.repeat(11),
  data: Buffer.from(JSON.stringify(signal)).toString('base64url'),
})
const read = ({ data }: Sealed): PeerSignal => JSON.parse(Buffer.from(data, 'base64url').toString())

const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error(text, fields) {
    throw new Error(`${text}: ${String(fields?.error)}`)
  },
}
