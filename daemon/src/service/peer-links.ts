/** Direct links, opened: sockets, port, router and timers around the link manager's runner. */
import type { SignalIn } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'
import { createPortMapper } from '../peers/port-mapper.ts'
import { createReflector } from '../peers/punch.ts'
import { createReach, type Reach } from '../peers/reach.ts'
import { createSocketTransport } from '../peers/socket-transport.ts'
import { newId } from './ids.ts'
import { createLinkRunner } from './link-runner.ts'
import { createPeerMail } from './peer-mail.ts'
import { listenOn } from './peer-port.ts'
import { createProbes } from './peer-probes.ts'
import { createPeerReports } from './peer-reports.ts'
import type { NetFacts, Peering, PeeringOptions, PeerPong } from './peering-types.ts'
import type { Self } from './trust.ts'

export type PeerLinks = Pick<Peering, 'views' | 'outward' | 'restore' | 'woke' | 'netcheck'> & {
  ping(machine: string, agent?: string): Promise<PeerPong>
  /** Whom this machine believes in may have changed. */
  trusted(): void
  signal(signal: SignalIn): void
  close(): Promise<void>
}

/** `netcheck` waits no longer for the router and the control plane. */
const CHECK_MS = 9_000

export async function openPeerLinks(options: PeeringOptions & { self: Self }): Promise<PeerLinks> {
  const { log, engine, store, control, settings, network } = options
  let reach: Reach | undefined
  const url = control.link()?.url
  const reflector = url === undefined ? undefined : createReflector(url)
  const runner = createLinkRunner({
    ...options,
    dial: (dial) => transport.dial(dial),
    newMail: createPeerMail,
    ways: () => ({
      candidates: reach?.candidates() ?? [],
      hosts: reach?.hosts() ?? [],
      canPunch: reflector !== undefined,
    }),
    async learn() {
      const found = (await reflector?.learn()) ?? null
      // Without a router in between it is one of the other candidates.
      return found !== null && found.candidate.host !== found.localHost ? found.candidate : null
    },
    localPort: () => reflector?.localPort(),
    probed(machine, signal, way) {
      if (signal.type === 'ping') probes.asked(machine, signal, way)
      else probes.answered(machine, signal)
    },
    changed: (machine) => reports.changed(machine),
    online() {
      reports.whole()
      check()
    },
    after(ms, act) {
      const timer = setTimeout(act, ms).unref()
      return () => clearTimeout(timer)
    },
    entropy: { id: newId, unit: Math.random },
  })
  const { views } = runner
  const reports = createPeerReports({ control, views, now: engine().now, log })
  const probes = createProbes({
    state: () => engine().state(),
    isBroken: () => isDiskBroken(store),
    send: runner.sendSignal,
  })
  const transport = await createSocketTransport(runner.side, {
    refused: ({ why, host }) => log.debug('a connection of another machine came to nothing', { host, why }),
  })
  const offNetwork = network.onChange(() => {
    log.info('this machine is in another network now')
    reach?.moved()
    reflector?.forget()
    runner.reachable(true)
    check()
  })
  const mapper = createPortMapper({
    isOff: settings.isMappingOff,
    changed: () => runner.reachable(false),
    debug: (text) => log.debug(text),
  })

  function check(): void {
    reach?.check().catch((error: unknown) => log.error('the ways to this machine could not be looked at', { error }))
  }

  // Whom to believe is known before anybody can come.
  runner.trusted()
  const port = await listenOn(transport, { paths: options.paths, log, wanted: settings.port ?? undefined })
  if (port !== null)
    reach = createReach({
      ...{ port, mapper, advertised: settings.advertised, interfaces: network.interfaces },
      checkReach: control.checkReach,
      changed: () => runner.reachable(false),
    })
  log.info('direct links are on', { port: port ?? 'none: this machine only dials' })
  runner.reachable(false)
  check()

  return {
    views,
    trusted: runner.trusted,
    signal: runner.signal,
    outward: runner.outward,
    restore: runner.restore,
    woke() {
      reflector?.forget()
      runner.woke()
      check()
    },
    async ping(machine, agent) {
      if (!runner.want(machine))
        throw new RelayError('NOT_FOUND', `No machine ${machine} is in this organization: see agent-relay machines`)
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
      runner.stop()
      probes.stop()
      reports.stop()
      offNetwork()
      reach?.stop()
      reflector?.stop()
      await Promise.all([transport.close(), mapper.stop()])
    },
  }
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
