/**
 * The link manager in the world: its effects carried out over a transport, and what happens there told to it and to the core.
 * Sockets, clock and randomness come from outside, so that the simulator runs exactly this code.
 */
import { type Candidate, MAX_BATCH, type PeerFrames, type PeerSignal, type SignalIn } from '@agent-relay/protocol'
import type { Effect } from '../core/turn.ts'
import { RelayError, toWire } from '../errors.ts'
import {
  createLinks,
  type Entropy,
  type KnownMachine,
  type LinkEffect,
  type LinkEvent,
} from '../peers/manager/index.ts'
import type { PeerLink, PeerSide, PeerTransport, PeerView } from '../peers/transport.ts'
import type { Clock } from './clock.ts'
import type { PeerMail } from './peer-mail.ts'
import type { Way } from './peer-probes.ts'
import type { PeeringOptions } from './peering-types.ts'
import type { Self, Trust } from './trust.ts'

export type LinkRunner = {
  /** What the transport is to be made with. */
  side: PeerSide
  /** Whom this machine believes in may have changed. */
  trusted(): void
  /** How it can be reached may have changed; `isNew`: it is in another network than before. */
  reachable(isNew: boolean): void
  /** This machine slept. */
  woke(): void
  signal(signal: SignalIn): void
  /** `way`: by which the question came; without it the way that messages take. Rejects when it does not get on its way. */
  sendSignal(machine: string, signal: PeerSignal, way: Way | undefined): Promise<void>
  /** Somebody wants to talk to that machine; false for one that is not in the roster. */
  want(machine: string): boolean
  /** Effects of the core: those for direct links are carried out, the others say who is talked to. */
  outward(effect: Effect): void
  /** Says again what the core lost with a turn that failed. */
  restore(): void
  views(): PeerView[]
  /** The link that carries messages to this machine; null while they go by relay. */
  linkOf(machine: string): string | null
  /** When it looks again by itself; Infinity for never. */
  wakeAt(): number
  /** Says goodbye on every link and gives up every dial; nothing is done from here on. */
  stop(): void
}

/** This machine's addresses now, without what is punched. */
type Ways = { candidates: readonly Candidate[]; hosts: readonly string[]; canPunch: boolean }

type Options = Pick<PeeringOptions, 'engine' | 'store' | 'sealer' | 'mail' | 'log'> & {
  control: Pick<PeeringOptions['control'], 'trust' | 'signal' | 'behind'>
  self: Self
  dial: PeerTransport['dial']
  newMail: (link: PeerLink) => PeerMail
  ways: () => Ways
  /** How the shared port looks from outside; null when that cannot be told, or it looks no other than from within. */
  learn: () => Promise<Candidate | null>
  /** The shared port; undefined before anything was learned. */
  localPort: () => number | undefined
  probed: (machine: string, signal: Extract<PeerSignal, { type: 'ping' | 'pong' }>, way: Way) => void
  /** The view of this machine changed. */
  changed: (machine: string) => void
  /** The control plane can be asked again. */
  online: () => void
  after: Clock['after']
  entropy: Entropy
}

/** That a machine is talked to is said this often and no more: the manager counts in minutes, messages come by the thousand. */
const DEMAND_MS = 1_000

export function createLinkRunner(options: Options): LinkRunner {
  const { self, log, engine, store, control, sealer, mail, newMail, ways, after } = options
  const { now, submit } = engine()
  const links = new Map<string, { link: PeerLink; mail: PeerMail }>()
  const dials = new Map<number, AbortController>()
  const demandedAt = new Map<string, number>()
  let events: LinkEvent[] = []
  let isRunning = false
  let isStopped = false
  let isOnline = false
  let cancelWake = (): void => undefined
  let armedFor = Number.POSITIVE_INFINITY
  let known = machinesOf(control.trust())

  const manager = createLinks({
    self: self.machine,
    publicKey: self.identity.publicKey,
    bootId: self.bootId,
    entropy: options.entropy,
  })
  const keyOf = (machine: string): string | undefined =>
    machine === self.machine ? undefined : (control.trust().roster?.machines.get(machine)?.publicKey ?? undefined)
  const side: PeerSide = {
    ...{ org: self.org, machine: self.machine, bootId: self.bootId, identityKey: self.identityKey },
    publicKeyOf: keyOf,
    machineOf: (publicKey) =>
      [...known].find(([machine, one]) => one.publicKey === publicKey && keyOf(machine) === publicKey)?.[0],
    rosterVersion: () => control.trust().roster?.version ?? 0,
    behind: control.behind,
    opened(link) {
      adopt(link)
      run({ type: 'opened', link })
    },
    frame: take,
    closed(link, why) {
      drop(link.id)
      run({ type: 'closed', link: link.id, why })
    },
  }

  /** Carries out what these events lead to; what happens meanwhile is told afterwards. */
  function run(...more: LinkEvent[]): void {
    events.push(...more)
    if (isRunning || isStopped) return
    isRunning = true
    while (events.length > 0) {
      const batch = events
      events = []
      for (const effect of manager.step(batch, now())) {
        try {
          carryOut(effect)
        } catch (error) {
          log.error('the link manager wanted what failed', { error, effect: effect.type })
        }
      }
    }
    isRunning = false
    arm()
  }

  /** Nearly every frame leaves the time to wake as it is. */
  function arm(): void {
    if (manager.wakeAt === armedFor || isStopped) return
    cancelWake()
    armedFor = manager.wakeAt
    if (armedFor === Number.POSITIVE_INFINITY) return
    cancelWake = after(Math.max(1, armedFor - now()), () => {
      armedFor = Number.POSITIVE_INFINITY
      run({ type: 'tick' })
    })
  }

  function carryOut(effect: LinkEffect): void {
    switch (effect.type) {
      case 'dial':
        dial(effect)
        break
      case 'abort':
        dials.get(effect.dial)?.abort()
        dials.delete(effect.dial)
        break
      case 'ping':
        links.get(effect.link)?.link.send('PEER_PING', { n: effect.n })
        break
      case 'close': {
        const { link } = links.get(effect.link) ?? {}
        drop(effect.link)
        link?.close(effect.why)
        break
      }
      case 'signal':
        sendSignal(effect.machine, effect.signal, undefined).catch((error: unknown) =>
          run({ type: 'unsignaled', machine: effect.machine, why: toWire(error).message }),
        )
        break
      case 'use':
        use(effect)
        break
      case 'learn':
        options.learn().then((candidate) => run({ type: 'punched', candidate }))
        break
      case 'changed':
        options.changed(effect.machine)
    }
  }

  function dial({ dial: id, machine, candidate, timeoutMs }: Extract<LinkEffect, { type: 'dial' }>): void {
    const cancel = new AbortController()
    dials.set(id, cancel)
    const isPunch = candidate.kind === 'punched'
    const localPort = isPunch ? options.localPort() : undefined
    // Both ends dial a punched connection: by their ids they know without a word who speaks first.
    const role = isPunch && self.machine < machine ? 'listener' : 'dialer'
    const shared = localPort === undefined ? {} : { localPort }
    options.dial({ machine, candidate, timeoutMs, role, signal: cancel.signal, ...shared }).then(
      (link) => {
        if (!dials.delete(id)) {
          link.close('it is not needed any more')
          return
        }
        adopt(link)
        run({ type: 'dialed', dial: id, link })
      },
      (error: unknown) => {
        if (dials.delete(id)) run({ type: 'undialed', dial: id, why: toWire(error).message })
      },
    )
  }

  function adopt(link: PeerLink): void {
    links.set(link.id, { link, mail: newMail(link) })
  }

  function drop(id: string): void {
    links.get(id)?.mail.stop()
    links.delete(id)
  }

  /** Between two links the core is told of the end of the first one: what was under way on it goes out again. */
  function use({ machine, link: id, why }: Extract<LinkEffect, { type: 'use' }>): void {
    const name = control.trust().roster?.machines.get(machine)?.name ?? machine
    const { kind, remote } = (id !== null && links.get(id)?.link) || {}
    if (id !== null) log.info(`direct link to ${name}`, { kind, remote })
    else log.info(`no direct link to ${name} any more`, { reason: why })
    // What waits for another link of the two goes out by this one, too.
    for (const other of links.values()) if (other.link.machine === machine && other.link.id !== id) other.mail.stop()
    submit({ type: 'peer', machine, isUp: false })
    if (id !== null) submit({ type: 'peer', machine, isUp: true })
  }

  const carrierOf = (machine: string) => links.get(manager.linkOf(machine) ?? '')

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
      demand(machine)
      mail.take((frame as PeerFrames['PEER_ROUTE']).envelopes, machine)
    } else if (event === 'PEER_ACK') {
      demand(machine)
      const batch = frame as PeerFrames['PEER_ACK']
      const failed = batch.receipts.filter(({ state }) => state === 'failed')
      const headers = failed.flatMap((receipt) => store.read.outHeader(receipt.id) ?? [])
      submit({ type: 'returned', returned: { from: machine, batch }, known: headers })
    } else if (event === 'PEER_SIGNAL') {
      const signal = sealer.openSignal(machine, (frame as PeerFrames['PEER_SIGNAL']).sealed)
      if (signal !== undefined) hear(machine, signal, { link: id })
    }
  }

  function hear(machine: string, signal: PeerSignal, way: Way): void {
    if (signal.type === 'ping' || signal.type === 'pong') options.probed(machine, signal, way)
    else run({ type: 'signal', machine, signal })
  }

  /** Questions about addresses go by the control plane, for a link may be what is broken; the rest by the way that messages take. */
  function sendSignal(machine: string, signal: PeerSignal, way: Way | undefined): Promise<void> {
    const sealed = sealer.sealSignal(machine, signal)
    if (sealed === undefined)
      return Promise.reject(new RelayError('VERSION_UNSUPPORTED', 'its agent-relay is too old for direct links'))
    const direct = typeof way === 'object' ? links.get(way.link) : way === 'relay' ? undefined : carrierOf(machine)
    const isProbe = signal.type === 'ping' || signal.type === 'pong'
    if (direct === undefined || !(isProbe || !control.trust().isOnline))
      return control.signal({ to: machine, id: signal.id, sealed })
    direct.link.send('PEER_SIGNAL', { sealed })
    return Promise.resolve()
  }

  function demand(machine: string): void {
    const at = now()
    if (at - (demandedAt.get(machine) ?? Number.NEGATIVE_INFINITY) < DEMAND_MS || !known.has(machine)) return
    demandedAt.set(machine, at)
    run({ type: 'demand', machine })
  }

  return {
    side,
    trusted() {
      const trust = control.trust()
      if (trust.roster !== null) known = machinesOf(trust)
      run(
        ...(trust.roster === null ? [] : [{ type: 'roster' as const, machines: known }]),
        { type: 'allowed', offBecause: trust.why },
        ...(trust.isOnline === isOnline ? [] : [{ type: 'online' as const, isOnline: trust.isOnline }]),
      )
      const isBack = trust.isOnline && !isOnline
      isOnline = trust.isOnline
      if (isBack) options.online()
    },
    reachable: (isNew) => run({ type: 'candidates', ...ways(), isNew }),
    woke: () => run({ type: 'woke' }),
    signal({ from, id, sealed }) {
      const signal = sealer.openSignal(from, sealed, id)
      if (signal !== undefined) hear(from, signal, 'relay')
    },
    sendSignal,
    want(machine) {
      if (!known.has(machine)) return false
      run({ type: 'demand', machine })
      return true
    },
    outward(effect) {
      switch (effect.type) {
        case 'direct': {
          demand(effect.machine)
          const carrier = carrierOf(effect.machine)
          // Gone since: the core hears of it, and sends it by another way.
          if (carrier !== undefined) carrier.mail.send(mail.out(effect.messages))
          break
        }
        case 'directReturn':
          demand(effect.machine)
          carrierOf(effect.machine)?.mail.giveBack(effect.batch)
          break
        case 'relay':
          for (const { machine } of effect.messages) demand(machine)
          break
        case 'return':
          for (const { to } of effect.batch.acks.slice(0, MAX_BATCH)) demand(to)
      }
    },
    restore() {
      for (const { machine, kind } of manager.views()) if (kind !== null) submit({ type: 'peer', machine, isUp: true })
    },
    views: manager.views,
    linkOf: manager.linkOf,
    wakeAt: () => manager.wakeAt,
    stop() {
      run({ type: 'allowed', offBecause: 'direct links are being closed' })
      isStopped = true
      cancelWake()
      for (const cancel of dials.values()) cancel.abort()
    },
  }
}

/** Whom a link may be to: everybody in the roster with an identity, but this machine and the control plane's own. */
function machinesOf({ roster, self }: Trust): Map<string, KnownMachine> {
  const machines = new Map<string, KnownMachine>()
  if (roster === null) return machines
  for (const { id, publicKey, seals, isOnline } of roster.machines.values()) {
    if (id === self?.machine || id === roster.cloud || publicKey === null) continue
    machines.set(id, { publicKey, canBeAsked: (seals?.length ?? 0) > 0, isOnline })
  }
  return machines
}
