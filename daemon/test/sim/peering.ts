/**
 * Direct links of one run: the shipped manager between a transport, the control plane's signals and the core, wired as
 * service/peer-links.ts does it, without its sockets and promises.
 */
import type { Candidate, Envelope, PeerFrames, ReturnBatch } from '@agent-relay/protocol'
import type { RosterIndex } from '../../src/core/roster.ts'
import type { Effect } from '../../src/core/turn.ts'
import { createLinks, type KnownMachine, type LinkEffect, type LinkEvent } from '../../src/peers/manager/index.ts'
import type { LinkSignal } from '../../src/peers/manager/words.ts'
import type { PeerLink, PeerSide } from '../../src/peers/transport.ts'
import type { Engine } from '../../src/service/engine.ts'
import type { Mail } from '../../src/service/mail.ts'
import { piecesOf } from '../../src/service/peer-mail.ts'
import { type Diary, envelopesAsText, returnsAsText } from './diary.ts'
import type { Ground } from './ground.ts'
import { identityOf } from './identities.ts'
import type { Network } from './network.ts'
import type { Oracle } from './oracle.ts'
import type { Places } from './places.ts'
import type { Random } from './random.ts'
import { ORG } from './registry.ts'
import { createSimTransport } from './transport.ts'

/** Whom this machine believes in, as service/trust.ts says it. */
export type Belief = { roster: RosterIndex | null; isOnline: boolean; why: string | null }

export type Peering = {
  /** The roster, its age, or the connection may have changed. */
  trusted(): void
  signal(from: string, signal: LinkSignal): void
  outward(effect: Effect): void
  restore(): void
  woke(): void
  /** Its interfaces have other addresses. */
  moved(): void
  /** A link to this machine that messages go by. */
  linkOf(machine: string): string | null
  wakeAt(): number
  stop(): void
  died(isSilent: boolean): void
}

export type PeeringHost = {
  machine: string
  bootId: string
  engine: () => Engine
  mail: Mail
  belief: () => Belief
  /** By way of the control plane; `failed` when it does not get on its way. */
  signal(to: string, signal: LinkSignal, failed: (why: string) => void): void
  /** A newer roster is out. */
  behind(version: number): void
  returned(from: string, batch: ReturnBatch): void
  /** How the control plane sees the shared port; null without an answer. */
  reflect(answer: (isSeen: boolean) => void): void
  run(act: () => void): void
  /** Wraps what leaves the process, which may die right before. */
  outside<A extends unknown[]>(act: (...args: A) => void): (...args: A) => void
  isAlive(): boolean
  isAwake(): boolean
  after(ms: number, act: () => void): () => void
  now(): number
  newId(now: number): string
  random: Random
  ground: Ground
  places: Places
  network: Network
  oracle: Oracle
  diary: Diary
}

const DEMAND_MS = 1_000
/** How late another network is noticed at most, and about how long a router takes to map a port. */
const WATCH_MS = 5_000
const MAP_MS = 2_000

export function createPeering(host: PeeringHost): Peering {
  const { machine: self, engine, mail, belief, places, network, random, oracle, diary, after, now } = host
  const identity = identityOf(self)
  const links = new Map<string, PeerLink>()
  const dials = new Map<number, () => void>()
  const demandedAt = new Map<string, number>()
  let events: LinkEvent[] = []
  let isRunning = false
  let isStopped = false
  let isOnline = false
  let cancelTimer = (): void => undefined
  let armedFor = Number.POSITIVE_INFINITY
  let known = new Map<string, KnownMachine>()
  let seenNetwork = places.versionOf(self)

  const manager = createLinks({
    self,
    publicKey: identity.publicKey,
    bootId: host.bootId,
    entropy: { id: host.newId, unit: random.unit },
  })
  const keyOf = (machine: string): string | undefined =>
    machine === self ? undefined : (belief().roster?.machines.get(machine)?.publicKey ?? undefined)
  const side: PeerSide = {
    ...{ org: ORG.id, machine: self, bootId: host.bootId, identityKey: identity.pem },
    publicKeyOf: keyOf,
    machineOf: (publicKey) =>
      [...known].find(([machine, one]) => one.publicKey === publicKey && keyOf(machine) === publicKey)?.[0],
    rosterVersion: () => belief().roster?.version ?? 0,
    behind: host.behind,
    opened(link) {
      diary.note(self, () => `takes link ${link.id} of ${link.machine}, ${link.kind}`)
      links.set(link.id, link)
      run({ type: 'opened', link })
    },
    frame: take,
    closed(link, why) {
      diary.note(self, () => `link ${link.id} to ${link.machine} is closed: ${why}`)
      links.delete(link.id)
      run({ type: 'closed', link: link.id, why })
    },
  }
  oracle.links.starts(self, (machine) => keyOf(machine) === identityOf(machine).publicKey)
  const transport = createSimTransport({
    ...{ side, identity, ground: host.ground, random, oracle: oracle.links, after },
    ...{ isAlive: host.isAlive, isAwake: host.isAwake, run: host.run },
    slowMs(machine) {
      const { slowMs } = network.weatherOf(machine)
      return slowMs > 0 ? random.below(slowMs) : 0
    },
  })

  function run(...more: LinkEvent[]): void {
    events.push(...more)
    if (isRunning || isStopped) return
    isRunning = true
    try {
      while (events.length > 0) {
        const batch = events
        events = []
        const at = now()
        const effects = manager.step(batch, at)
        oracle.links.stepped(self, { at, wakeAt: manager.wakeAt })
        for (const effect of effects) carryOut(effect)
      }
    } finally {
      isRunning = false
    }
    arm()
  }

  function arm(): void {
    const { wakeAt } = manager
    if (wakeAt === armedFor) return
    cancelTimer()
    armedFor = wakeAt
    if (wakeAt === Number.POSITIVE_INFINITY) return
    cancelTimer = after(Math.max(1, wakeAt - now()), () => {
      armedFor = Number.POSITIVE_INFINITY
      run({ type: 'tick' })
    })
  }

  const carryOut = host.outside((effect: LinkEffect): void => {
    switch (effect.type) {
      case 'dial':
        dial(effect)
        break
      case 'abort':
        dials.get(effect.dial)?.()
        dials.delete(effect.dial)
        break
      case 'ping':
        links.get(effect.link)?.send('PEER_PING', { n: effect.n })
        break
      case 'close': {
        const link = links.get(effect.link)
        links.delete(effect.link)
        if (link !== undefined) diary.note(self, () => `closes link ${link.id} to ${link.machine}: ${effect.why}`)
        link?.close(effect.why)
        break
      }
      case 'signal':
        sendSignal(effect.machine, effect.signal)
        break
      case 'use':
        use(effect.machine, effect.link)
        break
      case 'learn':
        host.reflect((isSeen) => run({ type: 'punched', candidate: isSeen ? seen() : null }))
        break
      case 'changed':
    }
  })

  /** Without a router in between it is one of the other candidates. */
  function seen(): Candidate | null {
    const candidate = places.seenOf(self)
    return places.hostsOf(self).includes(candidate.host) ? null : candidate
  }

  function dial({ dial: id, machine, candidate, timeoutMs }: Extract<LinkEffect, { type: 'dial' }>): void {
    diary.note(self, () => `dials ${machine} at ${candidate.kind} ${candidate.host}:${candidate.port}`)
    // Both ends dial a punched connection: by their ids they know without a word who speaks first.
    const role = candidate.kind === 'punched' && self < machine ? 'listener' : 'dialer'
    const cancel = transport.dial(
      { machine, candidate, timeoutMs, role },
      {
        linked(link) {
          diary.note(self, () => `has link ${link.id} to ${machine}, ${candidate.kind}`)
          dials.delete(id)
          links.set(link.id, link)
          run({ type: 'dialed', dial: id, link })
        },
        failed(why) {
          if (!dials.delete(id)) return
          diary.note(self, () => `gets no link to ${machine} at ${candidate.kind}: ${why}`)
          run({ type: 'undialed', dial: id, why })
        },
      },
    )
    dials.set(id, cancel)
  }

  /** Between two links the core is told of the end of the first one: what was under way on it goes out again. */
  function use(machine: string, link: string | null): void {
    diary.note(self, () => `writes to ${machine} by ${link === null ? 'the relay' : `link ${link}`}`)
    engine().submit({ type: 'peer', machine, isUp: false })
    if (link !== null) engine().submit({ type: 'peer', machine, isUp: true })
  }

  const carrierOf = (machine: string): PeerLink | undefined => links.get(manager.linkOf(machine) ?? '')

  function take<E extends keyof PeerFrames>(link: PeerLink, event: E, frame: PeerFrames[E]): void {
    const { id, machine } = link
    if (!links.has(id)) return
    if (event === 'PEER_PONG') {
      run({ type: 'pong', link: id, n: (frame as PeerFrames['PEER_PONG']).n })
      return
    }
    if (event === 'PEER_PING') link.send('PEER_PONG', frame as PeerFrames['PEER_PING'])
    run({ type: 'heard', link: id })
    if (event === 'PEER_ROUTE') {
      const { envelopes } = frame as PeerFrames['PEER_ROUTE']
      diary.note(self, () => `hears directly from ${machine} ${envelopesAsText(envelopes)}`)
      demand(machine)
      mail.take(envelopes, machine)
    } else if (event === 'PEER_ACK') {
      demand(machine)
      host.returned(machine, frame as PeerFrames['PEER_ACK'])
    } else if (event === 'PEER_SIGNAL') hear(machine, unsealed(frame as PeerFrames['PEER_SIGNAL']))
  }

  function hear(machine: string, signal: LinkSignal): void {
    diary.note(self, () => `hears of ${machine}: ${signalAsText(signal)}`)
    run({ type: 'signal', machine, signal })
  }

  /** Questions about addresses go by the control plane, for a link may be what is broken. */
  function sendSignal(machine: string, signal: LinkSignal): void {
    diary.note(self, () => `tells ${machine}: ${signalAsText(signal)}`)
    const direct = carrierOf(machine)
    if (direct !== undefined && !belief().isOnline) direct.send('PEER_SIGNAL', sealed(signal))
    else host.signal(machine, signal, (why) => host.run(() => run({ type: 'unsignaled', machine, why })))
  }

  function sendMail(machine: string, envelopes: Envelope[]): void {
    diary.note(self, () => `sends directly to ${machine} ${envelopesAsText(envelopes)}`)
    oracle.relayed()
    for (const piece of piecesOf(network.torn(machine, envelopes)))
      carry(machine, (link) => link.send('PEER_ROUTE', { envelopes: piece.envelopes }))
  }

  function returnMail(machine: string, batch: ReturnBatch): void {
    diary.note(self, () => `returns directly to ${machine} ${returnsAsText(batch)}`)
    oracle.returned(self, batch)
    carry(machine, (link) => link.send('PEER_ACK', batch))
  }

  /** On a link nothing is lost or comes twice; what is not taken at the other end, and what it is sent again, must do no harm all the same. */
  function carry(machine: string, send: (link: PeerLink) => void): void {
    const link = carrierOf(machine)
    const { loss, repeat } = network.weatherOf(machine)
    if (link === undefined || random.chance(loss)) return
    send(link)
    if (random.chance(repeat)) send(link)
  }

  function demand(machine: string): void {
    const at = now()
    if (at - (demandedAt.get(machine) ?? Number.NEGATIVE_INFINITY) < DEMAND_MS || !known.has(machine)) return
    demandedAt.set(machine, at)
    run({ type: 'demand', machine })
  }

  /** A router takes its time until it has mapped a port. */
  function tellCandidates(isNew: boolean): void {
    const candidates = places.candidatesOf(self)
    const soon = candidates.filter(({ kind }) => kind !== 'mapped')
    const facts = { hosts: places.hostsOf(self), canPunch: true }
    run({ type: 'candidates', candidates: soon, ...facts, isNew })
    if (soon.length === candidates.length) return
    const version = places.versionOf(self)
    after(MAP_MS, () => {
      if (places.versionOf(self) === version) run({ type: 'candidates', candidates, ...facts, isNew: false })
    })
  }

  /** Its interfaces are looked at now and then. */
  function lookAround(): void {
    const version = places.versionOf(self)
    if (version === seenNetwork) return
    seenNetwork = version
    diary.note(self, () => 'is in another network')
    tellCandidates(true)
  }

  tellCandidates(false)

  return {
    trusted() {
      const trust = belief()
      if (trust.roster !== null) known = machinesOf(trust.roster, self)
      run(
        ...(trust.roster === null ? [] : [{ type: 'roster' as const, machines: known }]),
        { type: 'allowed', offBecause: trust.why },
        ...(trust.isOnline === isOnline ? [] : [{ type: 'online' as const, isOnline: trust.isOnline }]),
      )
      isOnline = trust.isOnline
      oracle.links.trusts(self)
    },
    signal: hear,
    outward(effect) {
      switch (effect.type) {
        case 'direct':
          demand(effect.machine)
          sendMail(effect.machine, mail.out(effect.messages))
          break
        case 'directReturn':
          demand(effect.machine)
          returnMail(effect.machine, effect.batch)
          break
        case 'relay':
          for (const { machine } of effect.messages) demand(machine)
          break
        case 'return':
          for (const { to } of effect.batch.acks) demand(to)
      }
    },
    restore() {
      for (const { machine, kind } of manager.views())
        if (kind !== null) engine().submit({ type: 'peer', machine, isUp: true })
    },
    woke: () => run({ type: 'woke' }),
    moved: () => void after(random.below(WATCH_MS), lookAround),
    linkOf: manager.linkOf,
    wakeAt: () => manager.wakeAt,
    stop() {
      run({ type: 'allowed', offBecause: 'direct links are being closed' })
      isStopped = true
      transport.close()
    },
    died: transport.died,
  }
}

/** A signal as it travels on a link; what seals it has its own tests. */
const sealed = (signal: LinkSignal): PeerFrames['PEER_SIGNAL'] => ({
  sealed: { by: 'A'.repeat(11), to: 'A'.repeat(11), data: Buffer.from(JSON.stringify(signal)).toString('base64url') },
})
const unsealed = ({ sealed: { data } }: PeerFrames['PEER_SIGNAL']): LinkSignal =>
  JSON.parse(Buffer.from(data, 'base64url').toString())

const signalAsText = (signal: LinkSignal): string =>
  signal.type === 'punch'
    ? `meet me at ${signal.candidate.host}:${signal.candidate.port}`
    : `${signal.wants ? 'asks, and ' : ''}is at ${signal.candidates.map(({ kind, host }) => `${kind} ${host}`).join(', ')}`

/** Whom a link may be to: everybody in the roster but this machine. */
function machinesOf({ machines }: RosterIndex, self: string): Map<string, KnownMachine> {
  const known = new Map<string, KnownMachine>()
  for (const { id, publicKey, seals, isOnline } of machines.values())
    if (id !== self && publicKey !== null) known.set(id, { publicKey, canBeAsked: (seals?.length ?? 0) > 0, isOnline })
  return known
}
