/** A machine: a disk that may fill up, fail or be lost, a clock, and one run of the daemon after the other. */
import type { Op } from '../../src/core/turn.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import type { Diary } from './diary.ts'
import type { Ground } from './ground.ts'
import type { MachineClock } from './machine-clock.ts'
import type { Network } from './network.ts'
import type { Oracle } from './oracle.ts'
import type { Places } from './places.ts'
import type { Plane } from './plane.ts'
import { boot, type Process } from './process.ts'
import type { Random } from './random.ts'
import type { CrashPoint } from './schedule.ts'
import type { Timeline } from './timeline.ts'

export type Machine = {
  id: string
  /** The run of this moment. */
  process(): Process | undefined
  store(): Store
  isAwake(): boolean
  start(): void
  crash(plan: { point: CrashPoint; nth: number; downMs: number; jumpMs: number; isSilent: boolean }): void
  stop(downMs: number, jumpMs: number): void
  wipe(downMs: number): void
  /** It is in another network from now on. */
  roam(network: number): void
  /** It was removed from the organization. */
  revoke(isDefiant: boolean): void
  /** Its wall clock is set, while it runs. */
  setClock(ms: number): void
  setFull(isFull: boolean): void
  sleep(clock: 'stands' | 'runs'): void
  wake(): void
  /** Runs, awake, with room on its disk, and nothing more is planned for it. */
  heal(): void
  close(): void
}

type Options = {
  id: string
  index: number
  timeline: Timeline
  clock: MachineClock
  random: Random
  network: Network
  plane: Plane
  ground: Ground
  places: Places
  oracle: Oracle
  diary: Diary
  /** The daemon runs again. */
  started: () => void
}

export function createMachine(options: Options): Machine {
  const { id, index, timeline, clock, random, network, plane, ground, places, oracle, diary } = options
  let store = openStore(':memory:')
  oracle.opened(id)
  let process: Process | undefined
  let isFull = false
  /** Without power the whole machine, and not only the daemon. */
  let isOff = false
  let isDefiant = false
  let ids = 0
  let after = { downMs: 0, jumpMs: 0, isSilent: false }
  /** The last start that was asked for; an older one does nothing. */
  let start: (() => void) | undefined

  const entropy = { id: (now: number) => uuid(now, index, ids++), unit: random.unit }

  function write(ops: readonly Op[]): void {
    store.commit(isFull && random.chance(0.8) ? new Unwritable(ops, random.below(2 * ops.length)) : ops)
  }

  function writing(): void {
    if (isFull && random.chance(0.8)) throw Object.assign(new Error('database or disk is full'), { errcode: 13 })
  }

  function run(): void {
    start = undefined
    if (process !== undefined) return
    if (isOff) clock.reboot()
    isOff = false
    places.setPower(id, true)
    process = boot({
      ...{ id, store, write, writing, clock, random, entropy, network, plane, ground, places, oracle, diary, died },
      isDefiant: () => isDefiant,
    })
    ground.changed()
    oracle.starts(id, process.service.engine.state().outboxEpoch)
    options.started()
  }

  function died(dead: Process): void {
    if (process !== dead) return
    process = undefined
    const session = dead.line.session()
    if (session !== undefined) {
      session.isOpenHere = false
      network.sever(session, 0, after.isSilent ? random.between(10_000, 60_000) : 2)
    }
    dead.peering.died(after.isSilent)
    if (after.isSilent) places.setPower(id, false)
    clock.set(after.jumpMs)
    isOff = after.isSilent
    startIn(after.downMs)
  }

  function startIn(downMs: number): void {
    const begin = (): void => {
      if (start === begin) run()
    }
    start = begin
    timeline.at(timeline.now() + downMs, begin)
  }

  function wake(): void {
    clock.wake()
    process?.woke()
    const session = process?.line.session()
    if (session !== undefined) network.read(session)
    // Whatever waits for a time may come before what waits to be read.
    timeline.at(timeline.now() + random.below(20), () => {
      if (clock.isAwake()) ground.pipes.read(id)
    })
  }

  return {
    id,
    process: () => process,
    store: () => store,
    isAwake: clock.isAwake,
    start: run,
    crash({ point, nth, ...rest }) {
      after = rest
      if (point === 'now') process?.kill()
      else process?.plan({ point, nth })
    },
    stop(downMs, jumpMs) {
      after = { downMs, jumpMs, isSilent: false }
      process?.stop()
    },
    wipe(downMs) {
      after = { downMs, jumpMs: 0, isSilent: false }
      process?.kill()
      store.close()
      store = openStore(':memory:')
      oracle.opened(id)
    },
    roam(network) {
      places.move(id, network)
      ground.moved(id)
      process?.peering.moved()
    },
    revoke(defiant) {
      isDefiant = defiant
      plane.revoke(id)
    },
    setClock: clock.set,
    setFull(full) {
      isFull = full
    },
    sleep: clock.sleep,
    wake,
    heal() {
      isFull = false
      process?.plan(undefined)
      wake()
      run()
    },
    close: () => store.close(),
  }
}

/** Operations of which the disk takes only some: the writer reads them twice, and finds at some point that nothing fits any more. */
class Unwritable extends Array<Op> {
  #left: number

  constructor(ops: readonly Op[], left: number) {
    super()
    for (const op of ops) this.push(op)
    this.#left = left
  }

  override *[Symbol.iterator](): ArrayIterator<Op> {
    for (let i = 0; i < this.length; i++) {
      if (this.#left-- === 0) throw Object.assign(new Error('database or disk is full'), { errcode: 13 })
      yield this[i] as Op
    }
  }
}

/** A UUIDv7 that says in its last groups whose it is and which. */
const uuid = (now: number, machine: number, n: number): string => {
  const time = Math.floor(now).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8${machine.toString(16).padStart(3, '0')}-${n.toString(16).padStart(12, '0')}`
}
