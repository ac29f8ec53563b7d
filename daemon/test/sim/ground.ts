/** What lies between the machines: who dials reaches whom, connections, and everything that goes wrong with them. */
import type { Candidate, PeerWelcome } from '@agent-relay/protocol'
import { createPipes, type End, type Holder, type Middle, type Pipe, type Pipes } from './pipes.ts'
import type { Places, Way } from './places.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** A run of the daemon as others reach it. */
export type Station = Holder & {
  /** The identity in its certificate. */
  publicKey: string
  /** TLS is there: the keys that both ends showed, and what this session exports. */
  accept(end: End, tls: Tls): void
}

/** What TLS says at one end. */
export type Tls = { binding: string; peerKey: string; remote: { host: string; port: number } }

export type Call = {
  candidate: Candidate
  /** Of a punched connection: who speaks first. */
  role: 'dialer' | 'listener'
  connected(end: End, tls: Tls): void
  /** The other system says that nobody listens there. Otherwise there is only silence. */
  refused(): void
}

export type Ground = {
  pipes: Pipes
  /** This run takes connections from now on. */
  opened(station: Station): void
  /** The program ended, or the power. */
  died(station: Station, isSilent: boolean): void
  /** Calls until it is answered or given up; the answer gives it up. */
  call(from: Station, call: Call): () => void
  /** The machine is in another network: what it had open is stuck, but for a VPN's. */
  moved(machine: string): void
  /** What was in the way of packets may not be there any more. */
  changed(): void
  /** Somebody sits between these two from now on, or does not. */
  setMiddle(one: string, other: string, isOn: boolean): void
  /** Connections between these two: a reset at both ends, or at one of them and the other hears nothing, or a router forgot them. */
  break(one: string, other: string, how: 'reset' | 'half' | 'stuck'): void
  /** From here on nobody sits between, and whatever waits to get through does. */
  heal(): void
  /** Every connection ends, and both ends know. */
  reset(): void
}

/** Whoever sits between has no key of either, and says to the listener what it has: the proof that this one made itself. */
const forge: Middle = (from, event, frame, say) => {
  if (event === 'PEER_WELCOME') say(from === 0 ? 1 : 0, 'PEER_FINISH', { proof: (frame as PeerWelcome).proof })
}

/** When a system says again that it wants a connection. */
const SYN_MS = [0, 1_000, 3_000]

type Options = { timeline: Timeline; random: Random; places: Places }

export function createGround({ timeline, random, places }: Options): Ground {
  const pipes = createPipes({ timeline, random, passes: places.passes, latencyMs: places.latencyMs })
  const stations = new Map<string, Station>()
  const middles = new Set<string>()
  /** By machine, the punches that it is trying now. */
  const punches = new Map<string, Set<Punch>>()
  type Punch = { from: Station; call: Call; isOver(): boolean; over(): void }

  const pairOf = (one: string, other: string): string => (one < other ? `${one} ${other}` : `${other} ${one}`)
  const bytes = (): string => {
    const buffer = Buffer.alloc(32)
    for (let i = 0; i < 32; i += 4) buffer.writeUInt32LE(Math.floor(random.unit() * 2 ** 32), i)
    return buffer.toString('base64url')
  }
  const isOpenBothWays = (from: string, way: Way): boolean =>
    places.passes(from, way) && places.passes(way.to, { to: from, by: way.by })

  /** A connection with TLS on it; both ends hear of it. */
  function join(
    from: Station,
    to: Station,
    call: Pick<Call, 'connected'>,
    answer: Station['accept'],
    by: Way['by'],
  ): void {
    const isMiddled = middles.has(pairOf(from.machine, to.machine))
    const middle = isMiddled ? forge : undefined
    const ways = [
      { to: to.machine, by },
      { to: from.machine, by },
    ] as const
    const { ends } = pipes.open([from, to], ways, middle)
    const binding = bytes()
    const remote = (of: Station) => ({ host: places.hostsOf(of.machine)[0] as string, port: 4_000 })
    // Whoever sits between even holds certificates of both: only what the two sessions export tells.
    answer(ends[1], { binding: isMiddled ? bytes() : binding, peerKey: from.publicKey, remote: remote(from) })
    call.connected(ends[0], { binding, peerKey: to.publicKey, remote: remote(to) })
  }

  function ring(from: Station, call: Call, isOver: () => boolean, over: () => void): void {
    for (const laterMs of SYN_MS)
      timeline.at(timeline.now() + laterMs, () => {
        if (isOver() || !from.isAlive() || !from.isAwake()) return
        const way = places.find(from.machine, call.candidate)
        if (way === undefined || !isOpenBothWays(from.machine, way)) return
        // Two round trips: TCP, TLS.
        const tookMs = 4 * places.latencyMs(from.machine, way) + random.below(5)
        timeline.at(timeline.now() + tookMs, () => {
          if (isOver() || !from.isAlive() || !isOpenBothWays(from.machine, way)) return
          const to = stations.get(way.to)
          if (to?.isAlive() === true && !to.isAwake()) return
          over()
          if (to?.isAlive() === true) join(from, to, call, to.accept, way.by)
          else call.refused()
        })
      })
  }

  /** Two who call each other at the same time, through routers that keep ports. */
  function meet(punch: Punch): void {
    const { from, call } = punch
    const to = places.metAt(call.candidate)
    if (to === undefined || to === from.machine || ![from.machine, to].every(places.isPunchable)) return
    const way: Way = { to, by: 'internet' }
    for (const other of punches.get(to) ?? []) {
      if (other.isOver() || places.metAt(other.call.candidate) !== from.machine) continue
      const tookMs = 4 * places.latencyMs(from.machine, way) + random.below(5)
      timeline.at(timeline.now() + tookMs, () => {
        const both = [punch, other]
        const isThere = both.every((one) => !one.isOver() && one.from.isAlive() && one.from.isAwake())
        if (!isThere || !isOpenBothWays(from.machine, way)) return
        const [dialer, listener] = both.toSorted((one) => (one.call.role === 'dialer' ? -1 : 1)) as [Punch, Punch]
        for (const one of both) one.over()
        join(dialer.from, listener.from, dialer.call, listener.call.connected, 'internet')
      })
    }
  }

  return {
    pipes,
    opened: (station) => void stations.set(station.machine, station),
    died(station, isSilent) {
      if (stations.get(station.machine) === station) stations.delete(station.machine)
      pipes.died(station, isSilent)
    },
    call(from, call) {
      let isOver = false
      const own = punches.get(from.machine) ?? new Set()
      const over = (): void => {
        isOver = true
        own.delete(punch)
      }
      const punch: Punch = { from, call, isOver: () => isOver, over }
      if (call.candidate.kind === 'punched') {
        punches.set(from.machine, own.add(punch))
        meet(punch)
      } else ring(from, call, () => isOver, over)
      return over
    },
    moved(machine) {
      for (const pipe of pipes.all())
        for (const [at, end] of pipe.ends.entries())
          if (end.holder.machine === machine && pipe.ways[at]?.by !== 'vpn') pipe.isStuck = true
      pipes.retry()
    },
    changed: pipes.retry,
    setMiddle(one, other, isOn) {
      if (isOn) middles.add(pairOf(one, other))
      else middles.delete(pairOf(one, other))
    },
    break(one, other, how) {
      for (const pipe of pipes.all()) {
        const [mine, theirs] = one === pipe.ends[0].holder.machine ? pipe.ends : pipe.ends.toReversed()
        if (mine?.holder.machine !== one || theirs?.holder.machine !== other) continue
        if (how === 'stuck') pipe.isStuck = true
        else pipes.reset(mine)
        if (how === 'reset') pipes.reset(theirs)
      }
    },
    heal() {
      middles.clear()
      pipes.retry()
    },
    reset() {
      for (const { ends } of pipes.all()) for (const end of ends) pipes.reset(end)
    },
  }
}

export type { End, Pipe }
