/**
 * The quiet end of links: machines that talk and can be linked have exactly one link, the same at both ends; once nobody talks
 * they have none, and no link manager has anything to wait for.
 */
import { IDLE_CLOSE_MS, PAUSE_MS, PROBE_MAX_MS } from '../../src/peers/manager/limits.ts'
import type { Agent } from './agent.ts'
import type { Machine } from './machine.ts'
import { type Oracle, Violation } from './oracle.ts'
import type { Places } from './places.ts'
import type { Timeline } from './timeline.ts'

type World = { timeline: Timeline; places: Places; oracle: Oracle; machines: Machine[]; agents: Agent[] }

/** Two agents of different machines of which the first writes to the second. */
type Pair = { from: Agent; to: Agent }

/** A pause after links that kept breaking, and the longest time between two looks, and both with some room. */
const WITHIN_MS = PAUSE_MS + 1.1 * PROBE_MAX_MS + 120_000
/** Often enough that a link manager takes the two for talking to each other. */
const TALK_MS = 20_000

/** Lets those talk on that have no link yet; throws when two of them never come to one. */
export function meet(world: World): void {
  const { timeline } = world
  const end = timeline.now() + WITHIN_MS
  let apart = pairsOf(world).filter((pair) => trouble(world, pair) !== undefined)
  while (apart.length > 0) {
    for (const { from, to } of apart) from.send(to.key, { count: 1, sizeBytes: 10, ttlMs: undefined })
    timeline.runUntil(timeline.now() + TALK_MS)
    apart = apart.filter((pair) => trouble(world, pair) !== undefined)
    const [first] = apart
    if (first !== undefined && timeline.now() > end) throw new Violation('one link', trouble(world, first) as string)
  }
}

/** After a time without messages. Whoever asks for a hole that only a lost disk could fill goes on talking, ever less often. */
export function part({ timeline, oracle, machines }: World): void {
  timeline.runUntil(timeline.now() + IDLE_CLOSE_MS + 60_000)
  const left = machines.flatMap(({ id, process }) => (oracle.isRevoked(id) ? [] : (process() ?? [])))
  if (left.some(({ service }) => service.engine.state().gaps.size > 0)) return
  for (const { peering } of left)
    for (const { id } of machines)
      if (peering.linkOf(id) !== null) throw new Violation('not closed', `a link to ${id} stays though nobody talks`)
  // A look that was planned while they talked finds that they do not.
  timeline.runUntil(timeline.now() + 1.1 * PROBE_MAX_MS)
  for (const { peering } of left)
    if (peering.wakeAt() !== Number.POSITIVE_INFINITY)
      throw new Violation('not at rest', 'a link manager without links still waits for something')
}

/** One for every two machines, whichever of their agents talk. */
function pairsOf({ oracle, places, agents }: World): Pair[] {
  const pairs = new Map<string, Pair>()
  // One that has no name yet, or not any more, says nothing.
  for (const from of agents.filter((agent) => agent.isReceiving()))
    for (const key of oracle.recipientsOf(from.key)) {
      const to = agents.find((agent) => agent.key === key)
      if (to === undefined) continue
      const ids = [from.home().id, to.home().id] as const
      if (ids[0] === ids[1] || ids.some(oracle.isRevoked) || places.between(...ids) === undefined) continue
      pairs.set(ids.toSorted().join(' '), { from, to })
    }
  return [...pairs.values()]
}

/** Why this is not one link of both; undefined when it is. */
function trouble({ oracle }: World, pair: Pair): string | undefined {
  const [here, there] = [pair.from.home(), pair.to.home()]
  const ends = [
    { of: here, to: there },
    { of: there, to: here },
  ].map(({ of, to }) => ({
    name: of.id,
    uses: of.process()?.peering.linkOf(to.id) ?? null,
    has: oracle.links.openAt(of.id, to.id),
  }))
  const [one, other] = ends
  const isSame = one !== undefined && one.uses !== null && one.uses === other?.uses
  if (isSame && ends.every(({ has, uses }) => has.length === 1 && has[0] === uses)) return undefined
  return ends.map(({ name, uses, has }) => `${name} uses ${uses ?? 'none'} of ${has.join(', ') || 'none'}`).join('; ')
}
