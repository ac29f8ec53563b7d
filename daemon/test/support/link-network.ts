/** A network of made-up machines for the link manager: dials, links and signals that take their time, and break. */
import { createHash } from 'node:crypto'
import type { Candidate } from '@agent-relay/protocol'
import {
  createLinks,
  type KnownMachine,
  type LinkEffect,
  type LinkEvent,
  type Links,
} from '../../src/peers/manager/index.ts'

export type Node = {
  readonly name: string
  readonly key: string
  links: Links
  bootId: string
  candidates: Candidate[]
  isAlive: boolean
  isOnline: boolean
  /** Every effect that it ever had, with its time. */
  effects: { at: number; effect: LinkEffect }[]
  /** By which link messages to each machine go. */
  using: Map<string, string | null>
  view(other: string): ReturnType<Links['views']>[number] | undefined
  tell(...events: LinkEvent[]): void
}

type Wire = {
  id: string
  ends: [string, string]
  open: Set<string>
  /** Ends that have proved the other: the listener does when the dialer's last word came. */
  known: Set<string>
  lastAt: Map<string, number>
  delayMs?: number
}

export type NetworkOptions = {
  /** 0 ≤ x < 1. */
  random?: () => number
  /** One way, in ms. */
  delayMs?: () => number
  /** Whether what `from` dials reaches a listener; without it everything does. */
  reaches?: (from: string, candidate: Candidate, to: string) => boolean
  /** Every machine believes that its own key is the greater one: what the order of keys is there to prevent. */
  isDisputed?: boolean
}

export const uuidOf = (text: string): string => {
  const hash = createHash('sha256').update(text).digest('hex')
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}

export type LinkNetwork = ReturnType<typeof createLinkNetwork>

export function createLinkNetwork({
  random = () => 0.5,
  delayMs = () => 5,
  reaches = () => true,
  isDisputed = false,
}: NetworkOptions = {}) {
  let now = 1_000_000
  const queue: { at: number; act: () => void }[] = []
  const nodes = new Map<string, Node>()
  const wires = new Map<string, Wire>()
  const dials = new Map<string, () => void>()
  const cuts = new Set<string>()
  let ids = 0

  /** Kept in the order of time, and of what was said first. */
  function later(ms: number, act: () => void): void {
    const at = now + ms
    let [from, to] = [0, queue.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((queue[middle]?.at as number) <= at) from = middle + 1
      else to = middle
    }
    queue.splice(from, 0, { at, act })
  }
  const pair = (one: string, other: string): string => [one, other].sort().join(' ')
  const roster = (without: string): Map<string, KnownMachine> =>
    new Map(
      [...nodes.values()]
        .filter(({ name }) => name !== without)
        .map(({ name, key, isOnline }) => [name, { publicKey: isDisputed ? '' : key, canBeAsked: true, isOnline }]),
    )

  function make(node: Node): Links {
    return createLinks({
      self: node.name,
      publicKey: node.key,
      bootId: node.bootId,
      entropy: { id: () => uuidOf(`id ${++ids}`), unit: random },
    })
  }

  function add(name: string, candidates?: Candidate[]): Node {
    const key = createHash('sha256').update(name).digest('base64url')
    const node: Node = {
      name,
      key,
      bootId: uuidOf(`boot ${name}`),
      links: undefined as unknown as Links,
      candidates: candidates ?? [{ kind: 'lan', host: name, port: 4000 }],
      isAlive: true,
      isOnline: true,
      effects: [],
      using: new Map(),
      view: (other) => node.links.views().find(({ machine }) => machine === other),
      tell: (...events) => run(node, events),
    }
    node.links = make(node)
    nodes.set(name, node)
    for (const one of nodes.values()) one.tell({ type: 'roster', machines: roster(one.name) })
    begin(node)
    return node
  }

  function begin(node: Node): void {
    node.tell(
      { type: 'roster', machines: roster(node.name) },
      { type: 'online', isOnline: node.isOnline },
      { type: 'allowed', offBecause: null },
      { type: 'candidates', candidates: node.candidates, hosts: [node.name], canPunch: false, isNew: false },
    )
  }

  function run(node: Node, events: LinkEvent[]): void {
    if (!node.isAlive) return
    for (const effect of node.links.step(events, now)) {
      node.effects.push({ at: now, effect })
      carryOut(node, effect)
    }
  }

  function carryOut(node: Node, effect: LinkEffect): void {
    switch (effect.type) {
      case 'dial':
        dial(node, effect)
        break
      case 'abort':
        dials.get(`${node.name} ${effect.dial}`)?.()
        break
      case 'ping':
        send(node, effect.link, (other) => {
          other.tell({ type: 'heard', link: effect.link })
          send(other, effect.link, (back) => back.tell({ type: 'pong', link: effect.link, n: effect.n }))
        })
        break
      case 'close':
        closeEnd(node, effect.link, effect.why)
        break
      case 'signal': {
        const other = nodes.get(effect.machine)
        if (other?.isAlive && other.isOnline && node.isOnline)
          later(delayMs() + delayMs(), () => other.tell({ type: 'signal', machine: node.name, signal: effect.signal }))
        else
          later(delayMs(), () => node.tell({ type: 'unsignaled', machine: effect.machine, why: 'it is not connected' }))
        break
      }
      case 'use':
        node.using.set(effect.machine, effect.link)
        break
      case 'learn':
        later(delayMs(), () =>
          node.tell({ type: 'punched', candidate: { kind: 'punched', host: node.name, port: 5000 } }),
        )
        break
    }
  }

  function dial(node: Node, { dial: n, machine, candidate, timeoutMs }: Extract<LinkEffect, { type: 'dial' }>): void {
    const name = `${node.name} ${n}`
    let isOver = false
    dials.set(name, () => {
      isOver = true
      dials.delete(name)
    })
    const settle = (ms: number, act: () => void): void =>
      later(ms, () => {
        if (isOver || !node.isAlive) return
        isOver = true
        dials.delete(name)
        act()
      })
    const to = nodes.get(candidate.host)
    const isThere =
      to?.name === machine &&
      to.isAlive &&
      !cuts.has(pair(node.name, machine)) &&
      reaches(node.name, candidate, machine)
    if (!isThere) {
      settle(timeoutMs, () => node.tell({ type: 'undialed', dial: n, why: 'timed out' }))
      return
    }
    settle(3 * delayMs(), () => {
      if (!to.isAlive) {
        node.tell({ type: 'undialed', dial: n, why: 'refused' })
        return
      }
      const id = `link ${++ids}`
      const ends: Wire['ends'] = [node.name, to.name]
      const wire: Wire = { id, ends, open: new Set(ends), known: new Set([node.name]), lastAt: new Map() }
      wires.set(id, wire)
      const facts = { id, kind: candidate.kind, remote: { host: candidate.host, port: candidate.port } }
      // The dialer's last word of the handshake is on its way when the link is open for the dialer.
      deliver(wire, to, () => {
        wire.known.add(to.name)
        to.tell({ type: 'opened', link: { ...facts, machine: node.name, bootId: node.bootId, role: 'listener' } })
      })
      node.tell({ type: 'dialed', dial: n, link: { ...facts, machine, bootId: to.bootId, role: 'dialer' } })
    })
  }

  /** In the order of what went before it the same way. */
  function deliver(wire: Wire, to: Node, act: () => void): void {
    if (cuts.has(pair(...wire.ends))) return
    const at = Math.max(now + (wire.delayMs ?? delayMs()), (wire.lastAt.get(to.name) ?? 0) + 0.001)
    wire.lastAt.set(to.name, at)
    const { bootId } = to
    later(at - now, () => {
      if (wire.open.has(to.name) && to.isAlive && to.bootId === bootId) act()
    })
  }

  function send(from: Node, link: string, arrive: (other: Node) => void): void {
    const wire = wires.get(link)
    const other = nodes.get(wire?.ends.find((end) => end !== from.name) ?? '')
    if (wire === undefined || other === undefined || !wire.open.has(from.name)) return
    // Its last word of the handshake was lost: for the other end there is no link.
    deliver(wire, other, () => {
      if (wire.known.has(other.name)) arrive(other)
    })
  }

  function closeEnd(node: Node, link: string, why: string): void {
    const wire = wires.get(link)
    if (!wire?.open.has(node.name)) return
    send(node, link, (other) => {
      wire.open.delete(other.name)
      other.tell({ type: 'closed', link, why })
    })
    wire.open.delete(node.name)
  }

  function next(): number {
    let at = queue[0]?.at ?? Number.POSITIVE_INFINITY
    for (const { isAlive, links } of nodes.values()) if (isAlive && links.wakeAt < at) at = links.wakeAt
    return at
  }

  return {
    add,
    now: () => now,
    node: (name: string): Node => nodes.get(name) as Node,
    /** Lets the time pass. */
    run(ms: number): void {
      const end = now + ms
      let rounds = 0
      for (let at = next(); at <= end; at = next()) {
        // A manager that wants to be woken at once, again and again, would stand still here for ever.
        if (at > now) rounds = 0
        else if (++rounds > 10_000) throw new Error(`the time stands still at ${now}`)
        now = Math.max(now, at)
        const later = queue.findIndex((item) => item.at > now)
        for (const { act } of queue.splice(0, later === -1 ? queue.length : later)) act()
        for (const node of nodes.values()) if (node.links.wakeAt <= now) node.tell({ type: 'tick' })
      }
      now = end
    },
    /** Nothing gets through any more, and nobody is told. */
    cut: (one: string, other: string) => void cuts.add(pair(one, other)),
    heal: (one: string, other: string) => void cuts.delete(pair(one, other)),
    /** Ends the connection as a reset does: both ends know. */
    breakLink(link: string): void {
      const wire = wires.get(link)
      for (const end of wire?.open ?? []) later(0, () => nodes.get(end)?.tell({ type: 'closed', link, why: 'reset' }))
      wire?.open.clear()
    },
    /** This end alone loses the link, and the other is not told. */
    drop: (name: string, link: string): void => void wires.get(link)?.open.delete(name),
    /** A further link comes, dialed by `from`; one way takes `ms`. */
    arrive(from: string, to: string, ms: number): void {
      const [node, other] = [nodes.get(from) as Node, nodes.get(to) as Node]
      const id = `link ${++ids}`
      const wire: Wire = {
        id,
        ends: [from, to],
        open: new Set([from, to]),
        known: new Set([from, to]),
        lastAt: new Map(),
        delayMs: ms,
      }
      wires.set(id, wire)
      const facts = { id, kind: 'lan' as const, remote: { host: to, port: 4_000 } }
      const listens = { ...facts, machine: from, bootId: node.bootId, role: 'listener' as const }
      const dials = { ...facts, machine: to, bootId: other.bootId, role: 'dialer' as const }
      deliver(wire, other, () => other.tell({ type: 'opened', link: listens }))
      node.tell({ type: 'opened', link: dials })
    },
    /** A new run of the program; with `isKilled` nobody is told that the old one ended. */
    restart(node: Node, { isKilled = false } = {}): void {
      for (const wire of wires.values()) {
        if (!wire.open.delete(node.name) || isKilled) continue
        const other = nodes.get(wire.ends.find((end) => end !== node.name) as string)
        if (other !== undefined) {
          deliver(wire, other, () => {
            wire.open.delete(other.name)
            other.tell({ type: 'closed', link: wire.id, why: 'reset' })
          })
        }
      }
      node.bootId = uuidOf(`boot ${node.name} ${++ids}`)
      node.using.clear()
      node.links = make(node)
      begin(node)
    },
    roster,
    demand(from: string, to: string): void {
      nodes.get(from)?.tell({ type: 'demand', machine: to })
    },
    /** The links that are open at this machine's end, by its transport. */
    open: (name: string, other: string): string[] =>
      [...wires.values()]
        .filter(
          ({ ends, open, known }) => open.has(name) && known.has(name) && ends.includes(other) && ends.includes(name),
        )
        .map(({ id }) => id),
  }
}
