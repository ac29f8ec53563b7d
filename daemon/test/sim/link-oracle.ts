/** What direct links promise: to whom they are, that both proved it, and that nobody keeps one for whom the roster has no place. */
import type { PeerLink } from '../../src/peers/transport.ts'
import type { End } from './pipes.ts'

export type LinkOracle = ReturnType<typeof createLinkOracle>

/** So often in one moment and a link manager does not come to rest. */
const MOST_STEPS = 200

export function createLinkOracle(object: (rule: string, text: string) => never) {
  const links = new Map<End, PeerLink>()
  const proved = new WeakSet<End>()
  /** By machine, whom the run of this moment may be linked to. */
  const beliefs = new Map<string, (other: string) => boolean>()
  const steps = new Map<string, { at: number; count: number }>()
  let made = 0

  const otherOf = (end: End): End => end.pipe.ends[end.pipe.ends[0] === end ? 1 : 0]

  return {
    /** A run began; `believes`: whether its roster of this moment has that machine. */
    starts(machine: string, believes: (other: string) => boolean): void {
      beliefs.set(machine, believes)
      steps.delete(machine)
      for (const end of links.keys()) if (end.holder.machine === machine) links.delete(end)
    },
    /** This end of a connection became a link. */
    opened(end: End, link: PeerLink): void {
      const { machine } = end.holder
      const other = otherOf(end)
      if (end.pipe.middle !== undefined)
        object('in the middle', `${machine} has a link to ${link.machine}, and somebody sits between`)
      if (other.holder.machine !== link.machine)
        object('stranger', `${machine} takes ${other.holder.machine} for ${link.machine}`)
      if (!beliefs.get(machine)?.(link.machine))
        object('revoked', `${machine} has a new link to ${link.machine}, which its roster does not have`)
      const there = links.get(other)
      if (there !== undefined && (there.id !== link.id || there.role === link.role))
        object('stranger', `${machine} and ${link.machine} do not mean the same link`)
      if (!proved.has(other)) made++
      proved.add(end)
      links.set(end, link)
    },
    closed: (end: End): void => void links.delete(end),
    /** A frame came by this end, and was taken for one of a link. */
    carried(end: End, event: string): void {
      if (!links.has(end) || !proved.has(otherOf(end)))
        object('unproved', `${end.holder.machine} takes ${event} before both ends have proved themselves`)
    },
    /** A link manager was asked, and wants to be asked again at `wakeAt`; both on its own clock. */
    stepped(machine: string, { at, wakeAt }: { at: number; wakeAt: number }): void {
      const before = steps.get(machine)
      const count = before?.at === at ? before.count + 1 : 1
      steps.set(machine, { at, count })
      if (count > MOST_STEPS) object('spins', `the link manager of ${machine} does not come to rest`)
      if (wakeAt <= at) object('spins', `the link manager of ${machine} wants to be woken at a time that is over`)
    },
    /** The run of this machine has taken a roster: whoever is not in it has no link any more. */
    trusts(machine: string): void {
      for (const [end, link] of links)
        if (end.holder.machine === machine && !beliefs.get(machine)?.(link.machine))
          object('revoked', `${machine} keeps a link to ${link.machine}, which its roster does not have`)
    },
    /** The links between these two that are open at the end of `machine`. */
    openAt: (machine: string, other: string): string[] =>
      [...links].flatMap(([end, link]) => (end.holder.machine === machine && link.machine === other ? [link.id] : [])),
    made: () => made,
  }
}
