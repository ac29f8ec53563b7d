/** One run of the daemon: the shipped service, engine, core and store, on simulated time and a disk that outlives it. */
import { ROSTER_HARD_MS } from '@agent-relay/protocol'
import { isRosterHard, rosterAgeMs } from '../../src/core/freshness.ts'
import { type Entropy, hasMail } from '../../src/core/state.ts'
import type { Op } from '../../src/core/turn.ts'
import type { Log } from '../../src/log.ts'
import type { Service } from '../../src/service/context.ts'
import { createMail } from '../../src/service/mail.ts'
import { createService } from '../../src/service/service.ts'
import type { Self, Trust } from '../../src/service/trust.ts'
import { type Carrier, createUplink, type Uplink } from '../../src/service/uplink.ts'
import type { Store } from '../../src/store/store.ts'
import { type Diary, envelopesAsText, opsAsText, returnsAsText } from './diary.ts'
import type { Ground } from './ground.ts'
import { identityOf } from './identities.ts'
import { createLine, type Line } from './line.ts'
import type { MachineClock } from './machine-clock.ts'
import type { Network } from './network.ts'
import type { Oracle } from './oracle.ts'
import { createPeering, type Peering } from './peering.ts'
import type { Places } from './places.ts'
import type { Plane } from './plane.ts'
import type { Random } from './random.ts'
import { ORG } from './registry.ts'
import type { CrashPoint } from './schedule.ts'

/** How often the daemon writes down the time, and how late it notices that its machine has slept. */
const MARK_MS = 60_000
const CATCH_UP_MS = 10_000

/** Unwinds what runs in a process that has just died. */
class Died extends Error {}

export type Process = {
  service: Service
  line: Line
  peering: Peering
  isAlive(): boolean
  /** Dies at the nth such point from now, or not any more. */
  plan(crash: { point: CrashPoint; nth: number } | undefined): void
  kill(): void
  stop(): void
  /** The machine woke up. */
  woke(): void
  /** Something around the daemon that takes its time on this machine. */
  after(ms: number, act: () => void): void
  /** Wraps what the daemon calls in its surroundings: nothing leaves a dead process, and it may die right before. */
  outside<A extends unknown[]>(act: (...args: A) => void): (...args: A) => void
}

export type Host = {
  id: string
  store: Store
  /** Writes to the disk, or throws while it is full. */
  write(ops: readonly Op[]): void
  /** Throws what any other writing comes to now. */
  writing(): void
  clock: MachineClock
  random: Random
  entropy: Entropy
  network: Network
  plane: Plane
  ground: Ground
  places: Places
  oracle: Oracle
  diary: Diary
  /** Whether this machine makes links though the organization has turned it away. */
  isDefiant(): boolean
  died(process: Process): void
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

export function boot(host: Host): Process {
  const { id, oracle, diary, network, plane, random } = host
  let isAlive = true
  let isMarking = false
  let planned: { point: CrashPoint; nth: number } | undefined
  let refusal: string | null = null

  function run(act: () => void): void {
    if (!isAlive) return
    try {
      act()
    } catch (error) {
      if (!(error instanceof Died)) throw error
    }
    oracle.check()
  }

  function die(): void {
    if (!isAlive) return
    isAlive = false
    diary.note(id, () => 'dies')
    host.died(process)
  }

  function passing(point: CrashPoint): void {
    if (planned?.point !== point || --planned.nth > 0) return
    die()
    throw new Died()
  }

  const outside: Process['outside'] =
    (act) =>
    (...args) => {
      if (!isAlive) return
      passing('between-effects')
      act(...args)
    }

  const store: Store = {
    ...host.store,
    commit(ops) {
      if (!isAlive) throw new Died()
      passing('before-commit')
      try {
        host.write(ops)
      } catch (error) {
        diary.note(id, () => `cannot write ${opsAsText(ops)}`)
        throw error
      }
      diary.note(id, () => opsAsText(ops) && `writes ${opsAsText(ops)}`)
      markLater()
      oracle.committed(id, ops)
      passing('after-commit')
    },
    recover(facts, memory) {
      if (!isAlive) throw new Died()
      return host.store.recover(facts, memory)
    },
  }
  const clock = host.clock.start(run)
  try {
    host.writing()
    store.startClock(clock.startedAt)
  } catch {
    // As the daemon does: times to live then go by the wall clock.
    oracle.lostCount(id)
  }
  const engine = () => service.engine
  const mail = createMail({ engine, sealer: plane.sealing.run(id), log: silent })
  const uplink = createUplink({ engine, store, log: silent, mail })
  const line = createLine({
    machine: id,
    clock,
    random,
    network,
    plane,
    uplink: () => heard,
    isAlive: () => isAlive,
    isAwake: host.clock.isAwake,
    heard: {
      fresh(at) {
        const { state, now, submit, afterCommit } = service.engine
        const wasHard = isRosterHard(state(), now())
        submit({ type: 'fresh', at })
        if (wasHard) afterCommit(() => run(trusted))
      },
      signal: (signal) => run(() => peering.signal(signal)),
      refused() {
        diary.note(id, () => 'is turned away')
        refusal = 'the control plane refuses this machine'
        run(trusted)
      },
    },
  })
  const heard: Uplink = {
    ...uplink,
    up(welcome) {
      diary.note(id, () => `is connected, roster ${welcome.roster.version}`)
      uplink.up(welcome)
      run(trusted)
    },
    lost() {
      diary.note(id, () => 'lost its connection')
      uplink.lost()
      run(trusted)
    },
    delta(delta) {
      uplink.delta(delta)
      run(trusted)
    },
    roster(roster) {
      uplink.roster(roster)
      run(trusted)
    },
    deliver(envelopes) {
      diary.note(id, () => `hears ${envelopesAsText(envelopes)}`)
      uplink.deliver(envelopes)
    },
    returned(returned) {
      diary.note(id, () => `hears from ${returned.from} ${returnsAsText(returned.batch)}`)
      uplink.returned(returned)
    },
    claims(results) {
      diary.note(
        id,
        () => `hears of names ${results.map((r) => `${r.name} ${r.ok ? r.epoch : r.error.code}`).join(', ')}`,
      )
      uplink.claims(results)
    },
  }
  const carrier: Carrier = {
    ...line.carrier,
    claim(agent) {
      diary.note(id, () => `asks for ${agent.name} ${agent.epoch}`)
      return line.carrier.claim(agent)
    },
    relay(envelopes) {
      oracle.relayed(id)
      diary.note(id, () => `sends ${envelopesAsText(envelopes)}`)
      return line.carrier.relay(envelopes)
    },
    giveBack(batch) {
      diary.note(id, () => `returns ${returnsAsText(batch)}`)
      oracle.returned(id, batch)
      return line.carrier.giveBack(batch)
    },
  }
  /** As the daemon does once a minute, while anything waits. */
  function markLater(): void {
    if (isMarking) return
    isMarking = true
    clock.after(MARK_MS, () => {
      isMarking = false
      if (!hasMail(service.engine.state())) return
      mark()
      markLater()
    })
  }

  function mark(): void {
    try {
      host.writing()
      store.markClock(clock.mark())
    } catch {
      // The next one counts.
    }
  }

  const log: Log = {
    ...silent,
    info: (text, fields) => diary.note(id, () => `${text}${fields?.reason === undefined ? '' : `: ${fields.reason}`}`),
    error(_, fields) {
      if (!(fields?.error instanceof Died)) oracle.defect(fields?.error)
    },
  }
  const self: Self = {
    ...{ org: ORG.id, machine: id, bootId: host.entropy.id(clock.now()), identityKey: identityOf(id).pem },
    identity: { publicKey: identityOf(id).publicKey, sign: identityOf(id).sign },
  }

  /** As service/trust.ts sees it. */
  function trust(): Trust {
    const { state, now } = service.engine
    if (refusal !== null && !host.isDefiant()) return { self, roster: null, isOnline: false, why: refusal }
    const roster = uplink.known() ?? state().roster
    const why = roster === null ? 'no roster' : isRosterHard(state(), now()) ? 'the roster is too old' : null
    return { self, roster: why === null ? roster : null, isOnline: uplink.isUp(), why }
  }

  function trusted(): void {
    peering.trusted()
    lookAgain()
  }

  /** A roster grows too old without a word of anybody. */
  let cancelLook = (): void => undefined
  function lookAgain(): void {
    cancelLook()
    const { state, now } = service.engine
    const leftMs = ROSTER_HARD_MS - rosterAgeMs(state(), now())
    if (leftMs > 0) cancelLook = clock.after(leftMs + 1_000, trusted)
  }

  const service = createService({
    store,
    log: silent,
    clock,
    entropy: host.entropy,
    outward: outside((effect) => {
      peering.outward(effect)
      uplink.outward(carrier, effect)
    }),
    restored() {
      uplink.restore(carrier)
      trusted()
      peering.restore()
    },
    ...elsewhere,
  })
  const peering = createPeering({
    ...{ machine: id, log, engine, store, mail, trust, run, outside, random, diary },
    ...{ ground: host.ground, places: host.places, network, oracle },
    newId: host.entropy.id,
    signal: line.signal,
    behind: line.behind,
    canAsk: () => plane.isRunning() && !network.isCut(id),
    isAlive: () => isAlive,
    isAwake: host.clock.isAwake,
    after: clock.after,
    now: clock.now,
  })
  const process: Process = {
    service,
    line,
    peering,
    isAlive: () => isAlive,
    plan(crash) {
      planned = crash
    },
    kill: die,
    stop: () =>
      run(() => {
        peering.stop()
        service.stop()
        mark()
        die()
      }),
    woke: () =>
      void clock.after(random.between(0, CATCH_UP_MS), () => {
        if (!clock.catchUp()) return
        service.engine.submit({ type: 'tick' })
        peering.woke()
      }),
    after: (ms, act) => void clock.after(ms, act),
    outside,
  }
  uplink.linked({ machine: { id, name: id }, org: ORG, person: id })
  trusted()
  line.dial()
  return process
}

/** What of the daemon has no part in delivery: nothing here asks for it. */
const nobody = (): never => {
  throw new Error('not part of a simulated machine')
}
const elsewhere = {
  paths: undefined as never,
  runHost: undefined as never,
  peering: undefined as never,
  status: nobody,
  netcheck: nobody,
  channels: nobody,
  reload: nobody,
  shutdown: nobody,
}
