/**
 * Direct links of one run: the shipped manager and its runner over made-up connections, with the control plane's signals on one
 * side and the core on the other.
 */
import type { Candidate, Envelope, PeerSignal, ReturnBatch, Sealed, SignalOut } from '@agent-relay/protocol'
import { RelayError } from '../../src/errors.ts'
import type { Log } from '../../src/log.ts'
import type { PeerLink } from '../../src/peers/transport.ts'
import type { Engine } from '../../src/service/engine.ts'
import { createLinkRunner, type LinkRunner } from '../../src/service/link-runner.ts'
import type { Mail } from '../../src/service/mail.ts'
import { type PeerMail, piecesOf } from '../../src/service/peer-mail.ts'
import type { Trust } from '../../src/service/trust.ts'
import type { Store } from '../../src/store/store.ts'
import { answeredNow } from './answer.ts'
import { type Diary, envelopesAsText, returnsAsText } from './diary.ts'
import type { Ground } from './ground.ts'
import { identityOf } from './identities.ts'
import type { Network } from './network.ts'
import type { Oracle } from './oracle.ts'
import type { Places } from './places.ts'
import type { Random } from './random.ts'
import { createSimTransport } from './transport.ts'

export type Peering = Omit<LinkRunner, 'side' | 'reachable' | 'sendSignal' | 'want'> & {
  /** Its interfaces have other addresses. */
  moved(): void
  died(isSilent: boolean): void
}

type Host = {
  machine: string
  log: Log
  engine: () => Engine
  store: Store
  mail: Mail
  trust: () => Trust
  /** By way of the control plane; `failed` when it does not get on its way. */
  signal(out: SignalOut, failed: (why: string) => void): void
  /** A newer roster is out. */
  behind(version: number): void
  /** Whether the control plane answers a short connection now. */
  canAsk(): boolean
  /** Everything that comes from outside; a crash within it ends there. */
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

/** How late another network is noticed at most, and about how long a router takes to map a port. */
const WATCH_MS = 5_000
const MAP_MS = 2_000

export function createPeering(host: Host): Peering {
  const { machine: self, trust, places, network, random, oracle, diary, after, now, run, outside } = host
  let seenNetwork = places.versionOf(self)
  let isMapped = false

  const runner = createLinkRunner({
    self: trust().self as NonNullable<Trust['self']>,
    ...{ log: host.log, engine: host.engine, store: host.store, mail: host.mail },
    control: {
      trust,
      behind: host.behind,
      signal: (out) =>
        answeredNow<void>((_, failed) => outside(host.signal)(out, (why) => run(() => failed(failure(why))))),
    },
    // What seals signals has its own tests; here everybody can read them, and nobody does.
    sealer: {
      sealSignal(to, signal) {
        diary.note(self, () => `tells ${to}: ${signalAsText(signal)}`)
        return sealed(signal)
      },
      openSignal(from, closed) {
        const signal = opened(closed)
        diary.note(self, () => `hears of ${from}: ${signalAsText(signal)}`)
        return signal
      },
    },
    dial: (dial) =>
      answeredNow<PeerLink>((linked, failed) => {
        const { machine, candidate } = dial
        diary.note(self, () => `dials ${machine} at ${candidate.kind} ${candidate.host}:${candidate.port}`)
        outside(transport.dial)(dial, {
          linked,
          failed(why) {
            diary.note(self, () => `gets no link to ${machine} at ${candidate.kind}: ${why}`)
            failed(failure(why))
          },
        })
      }),
    newMail: mailOf,
    ways: () => ({
      candidates: places.candidatesOf(self).filter(({ kind }) => isMapped || kind !== 'mapped'),
      hosts: places.hostsOf(self),
      canPunch: true,
    }),
    // A short connection of its own, from the shared port.
    learn: () =>
      answeredNow<Candidate | null>((answer) => {
        after(random.between(5, 100), () => answer(host.canAsk() ? seen() : null))
      }),
    localPort: () => undefined,
    probed: () => undefined,
    changed: () => undefined,
    online: () => undefined,
    after(ms, act) {
      oracle.links.stepped(self, { at: now(), wakeAt: runner.wakeAt() })
      return after(ms, act)
    },
    entropy: { id: host.newId, unit: random.unit },
  })
  const { side } = runner
  oracle.links.starts(self, (machine) => side.publicKeyOf(machine) === identityOf(machine).publicKey)
  const transport = createSimTransport({
    ...{ side, identity: identityOf(self), ground: host.ground, random, oracle: oracle.links, diary, after, run },
    ...{ isAlive: host.isAlive, isAwake: host.isAwake },
    slowMs(machine) {
      const { slowMs } = network.weatherOf(machine)
      return slowMs > 0 ? random.below(slowMs) : 0
    },
  })

  /** Without a router in between it is one of the other candidates. */
  function seen(): Candidate | null {
    const candidate = places.seenOf(self)
    return places.hostsOf(self).includes(candidate.host) ? null : candidate
  }

  /** On a link nothing is lost or comes twice; that the other end does not take something, or gets it again, must do no harm. */
  function mailOf(link: PeerLink): PeerMail {
    const { machine } = link
    const carry = outside((send: () => void): void => {
      const { loss, repeat } = network.weatherOf(machine)
      if (random.chance(loss)) return
      send()
      if (random.chance(repeat)) send()
    })
    return {
      send(envelopes: readonly Envelope[]) {
        diary.note(self, () => `sends directly to ${machine} ${envelopesAsText(envelopes)}`)
        oracle.relayed(self)
        for (const piece of piecesOf(network.torn(machine, [...envelopes])))
          carry(() => link.send('PEER_ROUTE', { envelopes: piece.envelopes }))
      },
      giveBack(batch: ReturnBatch) {
        diary.note(self, () => `returns directly to ${machine} ${returnsAsText(batch)}`)
        oracle.returned(self, batch)
        carry(() => link.send('PEER_ACK', batch))
      },
      stop: () => undefined,
    }
  }

  /** A router takes its time until it has mapped a port. */
  function reachable(isNew: boolean): void {
    isMapped = false
    runner.reachable(isNew)
    const version = places.versionOf(self)
    if (!places.candidatesOf(self).some(({ kind }) => kind === 'mapped')) return
    after(MAP_MS, () => {
      if (places.versionOf(self) !== version) return
      isMapped = true
      runner.reachable(false)
    })
  }

  function lookAround(): void {
    const version = places.versionOf(self)
    if (version === seenNetwork) return
    seenNetwork = version
    diary.note(self, () => 'is in another network')
    reachable(true)
  }

  reachable(false)

  return {
    ...runner,
    trusted() {
      runner.trusted()
      oracle.links.trusts(self)
    },
    moved: () => void after(random.below(WATCH_MS), lookAround),
    stop() {
      runner.stop()
      transport.close()
    },
    died: transport.died,
  }
}

/** Made once for each reason: its stack costs more than the dial. */
function failure(why: string): RelayError {
  const known = failures.get(why) ?? new RelayError('UNAVAILABLE', why)
  failures.set(why, known)
  return known
}
const failures = new Map<string, RelayError>()

const sealed = (signal: PeerSignal): Sealed => ({
  by: 'A'.repeat(11),
  to: 'A'.repeat(11),
  data: Buffer.from(JSON.stringify(signal)).toString('base64url'),
})
const opened = ({ data }: Sealed): PeerSignal => JSON.parse(Buffer.from(data, 'base64url').toString())

function signalAsText(signal: PeerSignal): string {
  if (signal.type === 'punch') return `meet me at ${signal.candidate.host}:${signal.candidate.port}`
  if (signal.type !== 'candidates') return signal.type
  const where = signal.candidates.map(({ kind, host }) => `${kind} ${host}`).join(', ')
  return `${signal.wants ? 'asks, and ' : ''}is at ${where}`
}
