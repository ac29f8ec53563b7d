/** Direct links between machines: they come up, carry, and go down, and each end learns of both in its own time. */
import type { Envelope, Returned } from '@agent-relay/protocol'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** What a machine's daemon hears by its direct links. */
export type PeerEnd = {
  machine: string
  isAlive(): boolean
  isAwake(): boolean
  changed(other: string, isUp: boolean): void
  deliver(from: string, envelopes: Envelope[]): void
  returned(returned: Returned): void
}

type Link = { ends: [PeerEnd, PeerEnd]; isUpAt: Map<PeerEnd, boolean>; isClosing: boolean }

export type Peers = {
  connect(one: PeerEnd, other: PeerEnd): void
  /** Ends what links these two, or all of this machine's; `hereMs` is when `machine` itself notices. */
  sever(machine: string, options: { other?: string; hereMs: number; thereMs: number }): void
  send(from: PeerEnd, to: string, arrive: (end: PeerEnd) => void): void
  /** Ends every link, and both ends of each know. */
  heal(): void
  /** To whom this end believes to be linked. */
  of(end: PeerEnd): string[]
}

export function createPeers(timeline: Timeline, random: Random, network: Network): Peers {
  /** Those that an end still believes in are among them, also when they are over. */
  let links: Link[] = []

  const otherOf = ({ ends }: Link, end: PeerEnd): PeerEnd => (ends[0] === end ? ends[1] : ends[0])

  function later(ms: number, act: () => void): void {
    timeline.at(timeline.now() + ms, act)
  }

  function tell(link: Link, end: PeerEnd, isUp: boolean): void {
    if (!end.isAlive() || link.isUpAt.get(end) === isUp || (isUp && link.isClosing)) return
    link.isUpAt.set(end, isUp)
    end.changed(otherOf(link, end).machine, isUp)
    links = links.filter((one) => !one.isClosing || one.ends.some((at) => one.isUpAt.get(at)))
  }

  return {
    connect(one, other) {
      const isLinked = links.some(({ ends, isClosing }) => !isClosing && ends.includes(one) && ends.includes(other))
      const isPossible = [one, other].every((end) => end.isAlive() && end.isAwake())
      if (isLinked || !isPossible) return
      const link: Link = { ends: [one, other], isUpAt: new Map(), isClosing: false }
      links.push(link)
      for (const end of link.ends) later(random.between(1, 15), () => tell(link, end, true))
    },
    sever(machine, { other, hereMs, thereMs }) {
      for (const link of links) {
        const here = link.ends.find((end) => end.machine === machine)
        if (here === undefined || link.isClosing) continue
        const there = otherOf(link, here)
        if (other !== undefined && there.machine !== other) continue
        link.isClosing = true
        later(hereMs, () => tell(link, here, false))
        later(thereMs, () => tell(link, there, false))
      }
    },
    send(from, to, arrive) {
      const link = links.find(
        ({ ends, isClosing }) => !isClosing && ends.includes(from) && ends.some((end) => end.machine === to),
      )
      if (link === undefined) return
      const end = otherOf(link, from)
      const { loss, repeat, slowMs } = network.weatherOf(to)
      if (random.chance(loss)) return
      for (let copy = random.chance(repeat) ? 2 : 1; copy > 0; copy--)
        later(random.between(1, 8) + (slowMs > 0 ? random.below(slowMs) : 0), () => {
          if (link.isUpAt.get(end) && !link.isClosing && end.isAlive() && end.isAwake()) arrive(end)
        })
    },
    heal() {
      for (const link of [...links]) {
        link.isClosing = true
        for (const end of link.ends) tell(link, end, false)
      }
    },
    of: (end) => links.filter((link) => link.isUpAt.get(end)).map((link) => otherOf(link, end).machine),
  }
}
