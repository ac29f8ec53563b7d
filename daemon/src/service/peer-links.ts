/** The link manager in the world: its effects carried out over a transport, and what happens there told to it and to the core. */
import { MAX_BATCH, type PeerFrames, type PeerSignal, type SignalIn } from '@agent-relay/protocol'
import type { Effect } from '../core/turn.ts'
import { RelayError, toWire } from '../errors.ts'
import { createLinks, type KnownMachine, type LinkEffect, type LinkEvent } from '../peers/manager/index.ts'
import { createPortMapper } from '../peers/port-mapper.ts'
import { createReflector } from '../peers/punch.ts'
import { createReach, type Reach } from '../peers/reach.ts'
import { createSocketTransport } from '../peers/socket-transport.ts'
import type { PeerLink, PeerSide, PeerView } from '../peers/transport.ts'
import { newId } from './ids.ts'
import { createPeerMail, type PeerMail } from './peer-mail.ts'
import { listenOn } from './peer-port.ts'
import { createProbes, type Way } from './peer-probes.ts'
import { createPeerReports } from './peer-reports.ts'
import type { NetFacts, Peering, PeeringOptions, PeerPong } from './peering-types.ts'
import type { Self, Trust } from './trust.ts'

export type PeerLinks = Pick<Peering, 'views' | 'outward' | 'restore' | 'woke' | 'netcheck'> & {
  ping(machine: string, agent?: string): Promise<PeerPong>
  /** Whom this machine believes in may have changed. */
  trusted(): void
  signal(signal: SignalIn): void
  close(): Promise<void>
}

/** That a machine is talked to is said this often and no more: the manager counts in minutes, messages come by the thousand. */
const DEMAND_MS = 1_000
/** `netcheck` waits no longer for the router and the control plane. */
const CHECK_MS = 9_000

export async function openPeerLinks(options: PeeringOptions & { self: Self }): Promise<PeerLinks> {
  const { self, log, engine, store, control, sealer, mail, settings, network } = options
  const { now, submit } = engine()
  const links = new Map<string, { link: PeerLink; mail: PeerMail }>()
  const dials = new Map<number, AbortController>()
  const demandedAt = new Map<string, number>()
  let events: LinkEvent[] = []
  let isRunning = false
  let isClosed = false
  let isOnline = false
  let timer: NodeJS.Timeout | undefined
  let known = machinesOf(control.trust())

  const manager = createLinks({
    self: self.machine,
    publicKey: self.identity.publicKey,
    bootId: self.bootId,
    entropy: { id: newId, unit: Math.random },
  })
  const probes = createProbes({ state: () => engine().state(), isBroken: () => isDiskBroken(store), send: sendSignal })
  const reports = createPeerReports({ control, views, now, log })
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
  const transport = await createSocketTransport(side, {
    refused: ({ why, host }) => log.debug('a connection of another machine came to nothing', { host, why }),
  })
  const offNetwork = network.onChange(() => {
    log.info('this machine is in another network now')
    reach?.moved()
    reflector?.forget()
    tellCandidates(true)
    check()
  })
  const mapper = createPortMapper({
    isOff: settings.isMappingOff,
    changed: () => tellCandidates(false),
    debug: (text) => log.debug(text),
  })
  let reach: Reach | undefined
  const url = control.link()?.url
  const reflector = url === undefined ? undefined : createReflector(url)
  /** Carries out what these events lead to; what happens meanwhile is told afterwards. */
  function run(...more: LinkEvent[]): void {
    events.push(...more)
    if (isRunning || isClosed) return
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

  function arm(): void {
    clearTimeout(timer)
    timer = undefined
    if (manager.wakeAt === Number.POSITIVE_INFINITY || isClosed) return
    timer = setTimeout(() => run({ type: 'tick' }), Math.max(1, manager.wakeAt - now())).unref()
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
        learn()
        break
      case 'changed':
        reports.changed(effect.machine)
    }
  }

  function dial({ dial: id, machine, candidate, timeoutMs }: Extract<LinkEffect, { type: 'dial' }>): void {
    const cancel = new AbortController()
    dials.set(id, cancel)
    const isPunch = candidate.kind === 'punched'
    const localPort = isPunch ? reflector?.localPort() : undefined
    // Both ends dial a punched connection: by their ids they know without a word who speaks first.
    const role = isPunch && self.machine < machine ? 'listener' : 'dialer'
    const shared = localPort === undefined ? {} : { localPort }
    transport.dial({ machine, candidate, timeoutMs, role, signal: cancel.signal, ...shared }).then(
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
    links.set(link.id, { link, mail: createPeerMail(link) })
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
    if (signal.type === 'ping') probes.asked(machine, signal, way)
    else if (signal.type === 'pong') probes.answered(machine, signal)
    else run({ type: 'signal', machine, signal })
  }

  /** Questions about addresses go by the control plane, for a link may be what is broken; the rest by the way that messages take. */
  async function sendSignal(machine: string, signal: PeerSignal, way: Way | undefined): Promise<void> {
    const sealed = sealer.sealSignal(machine, signal)
    if (sealed === undefined) throw new RelayError('VERSION_UNSUPPORTED', 'its agent-relay is too old for direct links')
    const direct = typeof way === 'object' ? links.get(way.link) : way === 'relay' ? undefined : carrierOf(machine)
    const isProbe = signal.type === 'ping' || signal.type === 'pong'
    if (direct !== undefined && (isProbe || !control.trust().isOnline)) {
      direct.link.send('PEER_SIGNAL', { sealed })
      return
    }
    await control.signal({ to: machine, id: signal.id, sealed })
  }

  function demand(machine: string): void {
    const at = now()
    if (at - (demandedAt.get(machine) ?? Number.NEGATIVE_INFINITY) < DEMAND_MS || !known.has(machine)) return
    demandedAt.set(machine, at)
    run({ type: 'demand', machine })
  }

  function learn(): void {
    const answer = reflector?.learn() ?? Promise.resolve(null)
    answer.then((found) => {
      // Without a router in between it is one of the other candidates.
      const isNew = found !== null && found.candidate.host !== found.localHost
      run({ type: 'punched', candidate: isNew ? found.candidate : null })
    })
  }

  function tellCandidates(isNew: boolean): void {
    const candidates = reach?.candidates() ?? []
    const hosts = reach?.hosts() ?? []
    run({ type: 'candidates', candidates, hosts, canPunch: reflector !== undefined, isNew })
  }

  function check(): void {
    reach?.check().catch((error: unknown) => log.error('the ways to this machine could not be looked at', { error }))
  }

  function views(): PeerView[] {
    return manager.views()
  }

  function trusted(): void {
    const trust = control.trust()
    if (trust.roster !== null) known = machinesOf(trust)
    run(
      ...(trust.roster === null ? [] : [{ type: 'roster' as const, machines: known }]),
      { type: 'allowed', offBecause: trust.why },
      ...(trust.isOnline === isOnline ? [] : [{ type: 'online' as const, isOnline: trust.isOnline }]),
    )
    const isBack = trust.isOnline && !isOnline
    isOnline = trust.isOnline
    if (!isBack) return
    reports.whole()
    check()
  }

  // Whom to believe is known before anybody can come.
  trusted()
  const port = await listenOn(transport, { paths: options.paths, log, wanted: settings.port ?? undefined })
  if (port !== null)
    reach = createReach({
      ...{ port, mapper, advertised: settings.advertised, interfaces: network.interfaces },
      checkReach: control.checkReach,
      changed: () => tellCandidates(false),
    })
  log.info('direct links are on', { port: port ?? 'none: this machine only dials' })
  tellCandidates(false)
  check()

  return {
    views,
    trusted,
    signal({ from, id, sealed }) {
      const signal = sealer.openSignal(from, sealed, id)
      if (signal !== undefined) hear(from, signal, 'relay')
    },
    outward(effect: Effect) {
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
      for (const { machine, kind } of views()) if (kind !== null) submit({ type: 'peer', machine, isUp: true })
    },
    woke() {
      reflector?.forget()
      run({ type: 'woke' })
      check()
    },
    async ping(machine, agent) {
      if (!known.has(machine))
        throw new RelayError('NOT_FOUND', `No machine ${machine} is in this organization: see agent-relay machines`)
      run({ type: 'demand', machine })
      return probes.ask(
        machine,
        agent,
        views().find((view) => view.machine === machine),
      )
    },
    async netcheck(): Promise<NetFacts> {
      const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), CHECK_MS).unref())
      const [, seen] = await Promise.all([
        Promise.race([reach?.check(), late]),
        Promise.race([reflector?.learn() ?? null, late]),
      ])
      const { why } = control.trust()
      return {
        isOn: why === null,
        why: why ?? (port === null ? 'no port could be had: this machine only dials others' : 'direct links are made'),
        port,
        candidates: reach?.facts() ?? [],
        observedAddress: seen?.candidate.host ?? reach?.observedAddress() ?? null,
        mapping: mapper.view(),
        punch: punchFact(seen),
      }
    },
    async close() {
      run({ type: 'allowed', offBecause: 'direct links are being closed' })
      isClosed = true
      clearTimeout(timer)
      probes.stop()
      reports.stop()
      offNetwork()
      reach?.stop()
      reflector?.stop()
      for (const cancel of dials.values()) cancel.abort()
      await Promise.all([transport.close(), mapper.stop()])
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

function isDiskBroken(store: PeeringOptions['store']): boolean {
  try {
    store.read.failedSince(Number.MAX_SAFE_INTEGER)
    return false
  } catch {
    return true
  }
}

type Seen = Awaited<ReturnType<ReturnType<typeof createReflector>['learn']>>

function punchFact(seen: Seen): NetFacts['punch'] {
  if (seen === null) return { isPossible: null, why: 'the control plane did not say from where it sees this machine' }
  const { candidate, localPort, localHost } = seen
  if (candidate.host === localHost)
    return { isPossible: null, why: 'no router is between this machine and the control plane' }
  return candidate.port === localPort
    ? { isPossible: true, why: `the router keeps port ${localPort}, so another machine can meet this one there` }
    : {
        isPossible: false,
        why: `the router turned port ${localPort} into ${candidate.port}: two such machines rarely meet`,
      }
}
