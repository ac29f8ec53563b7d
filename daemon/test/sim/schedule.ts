/** A run as data: who is there and what happens to them when. All of it follows from the seed, and any part can be left out. */
import { createRandom, type Random } from './random.ts'

/** Times in ms; `at` counts from the start of the run. Machines and agents by their place in the schedule. */
export type Action = { at: number } & (
  | { do: 'send'; agent: number; to: string; count: number; sizeBytes: number; ttlMs?: number }
  /** `nth`: at the nth commit, or effect, from now. `isSilent`: the power went, and nobody is told that connections ended. */
  | { do: 'crash'; machine: number; point: CrashPoint; nth: number; downMs: number; jumpMs: number; isSilent: boolean }
  | { do: 'stop'; machine: number; downMs: number; jumpMs: number }
  /** The disk is lost; the machine comes back as itself with an empty one. */
  | { do: 'wipe'; machine: number; downMs: number }
  /** `isClean`: both ends see it at once; else each finds out in its time. */
  | { do: 'cut'; machine: number; forMs: number; isClean: boolean }
  /** It goes to another network. */
  | { do: 'roam'; machine: number; network: number }
  /** Nothing gets directly from the first to the second, nor back, or not back alone; nobody is told. */
  | { do: 'hole'; machine: number; other: number; forMs: number; isOneWay: boolean }
  /** What connects two machines: reset at both ends, or lost at one, or forgotten by a router between. */
  | { do: 'break'; machine: number; other: number; how: 'reset' | 'half' | 'stuck' }
  /** Somebody sits between two machines and has even their certificates. */
  | { do: 'middle'; machine: number; other: number; forMs: number }
  /** An admin removes the machine; one that is defiant goes on linking as if it were not told. */
  | { do: 'revoke'; machine: number; isDefiant: boolean }
  | { do: 'weather'; machine: number; forMs: number; weather: Weather }
  | { do: 'plane'; point: 'now' | 'before-commit' | 'after-commit'; downMs: number }
  /** No mailbox takes anything. */
  | { do: 'crowd'; forMs: number }
  | { do: 'full'; machine: number; forMs: number }
  /** Its wall clock is set while it runs. */
  | { do: 'clock'; machine: number; jumpMs: number }
  | { do: 'sleep'; machine: number; forMs: number; clock: 'stands' | 'runs' }
  | { do: 'away'; agent: number; forMs: number }
  /** It takes messages and gives no evidence. */
  | { do: 'deaf'; agent: number; forMs: number }
  | { do: 'move'; agent: number; machine: number }
)

export type CrashPoint = 'now' | 'before-commit' | 'after-commit' | 'between-effects'

/**
 * `open`: every machine has a public address. `home`: behind a router that keeps ports, so that others can be met; `mapped`: and
 * that opens one on request. `office`: behind one that gives every connection another port. `walled`: guests do not see each other.
 */
export type NetworkKind = 'open' | 'home' | 'mapped' | 'office' | 'walled'

/** Of frames with messages and what goes back for them: chances of being lost, repeated, torn; and how much slower they are. */
export type Weather = { loss: number; repeat: number; tear: number; slowMs: number }

export type Schedule = {
  seed: number
  networks: NetworkKind[]
  /** `skewMs`: how far its wall clock is off at the start. `network`: where it is then, by its place in the schedule. */
  machines: { skewMs: number; network: number; hasVpn: boolean }[]
  agents: { name: string; machine: number; project: string | null }[]
  actions: Action[]
}

const NAMES = ['Ada', 'Bob', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gus', 'Hal']
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

export function scheduleOf(seed: number): Schedule {
  const random = createRandom(seed, 'schedule')
  const networks = networksOf(random)
  const machines = Array.from(
    {
      length: random.weighted([
        [5, 2],
        [3, 3],
        [1, 4],
      ]),
    },
    () => ({ skewMs: skew(random), network: random.below(networks.length), hasVpn: random.chance(0.15) }),
  )
  const agents = NAMES.slice(0, machines.length + random.between(0, 2)).map((name, i) => ({
    name,
    machine: i < machines.length ? i : random.below(machines.length),
    project: random.pick([null, 'web', 'api']),
  }))
  const draft = {
    random,
    machines: machines.length,
    networks: networks.length,
    agents,
    hasMoves: random.chance(0.1),
    hasWipes: random.chance(0.15),
    hasRevokes: random.chance(0.15),
  }
  const length = random.between(10, 36)
  const actions: Action[] = []
  let at = random.between(0, 1_500)
  for (let i = 0; i < length; i++) {
    actions.push({ at, ...draw(draft) })
    at += pauseMs(random)
  }
  return { seed, networks, machines, agents, actions }
}

type Draft = {
  random: Random
  machines: number
  networks: number
  agents: Schedule['agents']
  hasMoves: boolean
  hasWipes: boolean
  hasRevokes: boolean
}
type Deed = Action extends infer A ? (A extends Action ? Omit<A, 'at'> : never) : never

const skew = (random: Random): number => random.between(-10 * MINUTE_MS, 10 * MINUTE_MS)
const jump = (random: Random): number => (random.chance(0.5) ? 0 : skew(random))

/** Mostly one for all or one for each of two, so that most machines can be linked. */
function networksOf(random: Random): NetworkKind[] {
  const length = random.weighted([
    [4, 1],
    [3, 2],
    [2, 3],
  ])
  return Array.from({ length }, () => random.pick<NetworkKind>(['open', 'home', 'home', 'mapped', 'office', 'walled']))
}

/** Mostly dense, so that faults meet each other; sometimes long enough for every timer to come. */
const pauseMs = (random: Random): number =>
  random.weighted([
    [6, random.between(0, 400)],
    [5, random.between(400, 3_000)],
    [3, random.between(3_000, 40_000)],
    [1, random.between(MINUTE_MS, 6 * MINUTE_MS)],
  ])

const forMs = (random: Random): number =>
  random.weighted([
    [3, random.between(50, 1_500)],
    [3, random.between(1_500, 20_000)],
    [2, random.between(20_000, 3 * MINUTE_MS)],
    [1, random.between(3 * MINUTE_MS, 20 * MINUTE_MS)],
  ])

function draw(draft: Draft): Deed {
  const { random, hasMoves, hasWipes, hasRevokes } = draft
  const machine = random.below(draft.machines)
  const other = (machine + random.between(1, draft.machines - 1)) % draft.machines
  const agent = random.below(draft.agents.length)
  const make = random.weighted<() => Deed>([
    [16, () => sendBy(draft, agent)],
    [5, () => crashOf(random, machine)],
    [1, () => ({ do: 'stop', machine, downMs: forMs(random), jumpMs: jump(random) })],
    [3, () => ({ do: 'cut', machine, forMs: forMs(random), isClean: random.chance(0.6) })],
    [draft.networks > 1 ? 2 : 0, () => ({ do: 'roam', machine, network: random.below(draft.networks) })],
    [2, () => ({ do: 'hole', machine, other, forMs: forMs(random), isOneWay: random.chance(0.4) })],
    [3, () => ({ do: 'break', machine, other, how: random.pick(['reset', 'half', 'stuck']) })],
    [1, () => ({ do: 'middle', machine, other, forMs: forMs(random) })],
    [3, () => ({ do: 'weather', machine, forMs: forMs(random), weather: weatherOf(random) })],
    [2, () => ({ do: 'plane', point: random.pick(['now', 'before-commit', 'after-commit']), downMs: forMs(random) })],
    [1, () => ({ do: 'crowd', forMs: forMs(random) })],
    [2, () => ({ do: 'full', machine, forMs: forMs(random) })],
    [1, () => ({ do: 'clock', machine, jumpMs: skew(random) })],
    [1, () => ({ do: 'sleep', machine, forMs: sleepMs(random), clock: random.pick(['stands', 'runs']) })],
    [2, () => ({ do: 'away', agent, forMs: forMs(random) })],
    [1, () => ({ do: 'deaf', agent, forMs: forMs(random) })],
    [hasMoves ? 2 : 0, () => ({ do: 'move', agent, machine })],
    [hasWipes ? 1 : 0, () => ({ do: 'wipe', machine, downMs: forMs(random) })],
    [hasRevokes ? 3 : 0, () => ({ do: 'revoke', machine, isDefiant: random.chance(0.5) })],
  ])
  return make()
}

const sleepMs = (random: Random): number =>
  random.chance(0.5) ? random.between(MINUTE_MS, 20 * MINUTE_MS) : random.between(HOUR_MS, 9 * HOUR_MS)

function sendBy({ random, agents }: Draft, agent: number): Deed {
  const to = random.weighted([
    [12, () => random.pick(agents).name],
    [1, () => '*:*'],
    [1, () => '*'],
    [1, () => random.pick(['web:*', 'api:*'])],
  ])()
  const ttlMs = random.weighted([
    [9, undefined],
    [5, random.between(1_000, 30_000)],
    [3, random.between(MINUTE_MS, 5 * MINUTE_MS)],
    [2, random.between(HOUR_MS, 12 * HOUR_MS)],
  ])
  const count = random.chance(0.7) ? 1 : random.between(2, 9)
  const sizeBytes = random.chance(0.95) ? random.between(12, 200) : random.between(10_000, 60_000)
  return { do: 'send', agent, to, count, sizeBytes, ...(ttlMs !== undefined && { ttlMs }) }
}

const crashOf = (random: Random, machine: number): Deed => ({
  do: 'crash',
  machine,
  point: random.pick<CrashPoint>(['now', 'before-commit', 'after-commit', 'between-effects']),
  nth: random.between(1, 3),
  downMs: forMs(random),
  jumpMs: jump(random),
  isSilent: random.chance(0.3),
})

const weatherOf = (random: Random): Weather => ({
  loss: random.pick([0, 0.1, 0.3]),
  repeat: random.pick([0, 0.1, 0.3]),
  tear: random.pick([0, 0.2]),
  slowMs: random.pick([0, 100, 1_000, 5_000]),
})
