/** Runs the core: events of a tick make one turn, one commit, and only then effects. */
import { performance } from 'node:perf_hooks'
import type { WireError } from '@agent-relay/protocol'
import { committed } from '../core/hand-over.ts'
import type { State } from '../core/state.ts'
import { step } from '../core/step.ts'
import type { Answer, CoreEvent, Effect, MessageRow, Op, Turn } from '../core/turn.ts'
import { toWire } from '../errors.ts'
import type { Log } from '../log.ts'
import { point } from '../points.ts'
import type { StoredMessage } from '../store/reader.ts'
import type { Store } from '../store/store.ts'

/** Operations that no effect stands for are committed with the next that must be, or after this. */
const LAZY_COMMIT_MS = 25
/** Rows of recent turns, so that handing over does not read back what was just written. */
const CACHE_BYTES = 16 * 1024 * 1024

/** Where answers of the core go: called once, after the commit. */
export type Settle = (answer: Answer) => void

export type Engine = {
  /** The core's state, for reading only. */
  state(): State
  submit(event: CoreEvent): void
  /** Calls back when everything submitted before is on disk. */
  afterCommit(then: () => void): void
  /** A message by its place, from memory when it was just written. */
  take(n: number): MessageRow | StoredMessage | undefined
  now(): number
  stop(): void
}

type Options = {
  store: Store
  log: Log
  recover: () => State
  perform: (effects: Effect[]) => void
  /** The state was built anew after a failed commit: tell it again what only the process knows. */
  restored: () => void
}

/** This machine's clock: it starts at the wall clock's time and from then on only moves forward. */
function createClock(): () => number {
  const start = Date.now() - performance.now()
  return () => start + performance.now()
}

export function createEngine({ store, log, recover, perform, restored }: Options, now = createClock()): Engine {
  let state = recover()
  let events: CoreEvent[] = []
  let readers: (() => void)[] = []
  let pending: Op[] = []
  let isScheduled = false
  let isStopped = false
  let lazyTimer: NodeJS.Timeout | undefined
  let wakeTimer: NodeJS.Timeout | undefined
  let wakeAt = Number.POSITIVE_INFINITY
  const cache = new Map<number, MessageRow>()
  let cacheBytes = 0

  const schedule = (): void => {
    if (isScheduled || isStopped) return
    isScheduled = true
    setImmediate(run)
  }

  function run(): void {
    isScheduled = false
    if (isStopped) return
    const batch = events
    const after = readers
    events = []
    readers = []
    const turn = decide(batch, after.length > 0)
    if (turn !== undefined) {
      remember(turn)
      perform(turn.effects)
    }
    for (const then of after) then()
    arm()
  }

  /** The turn of these events, committed as far as its effects need it; undefined when it failed and everybody was told. */
  function decide(batch: CoreEvent[], isRead: boolean): Turn | undefined {
    try {
      const turn = step(state, batch, now())
      point('turn.decided')
      pending = pending.length === 0 ? turn.ops : pending.concat(turn.ops)
      if (turn.mustCommit || isRead || pending.length > 2000) {
        flush()
        committed(state, turn, now())
      } else if (pending.length > 0) lazyTimer ??= setTimeout(flushLate, LAZY_COMMIT_MS)
      return turn
    } catch (error) {
      fail(batch, error)
      return undefined
    }
  }

  function flush(): void {
    clearTimeout(lazyTimer)
    lazyTimer = undefined
    if (pending.length === 0) return
    const ops = pending
    pending = []
    point('commit.before')
    store.commit(ops)
    point('commit.after')
  }

  function flushLate(): void {
    try {
      flush()
    } catch (error) {
      fail([], error)
    }
  }

  /** Nothing of the turn is on disk, so the state goes back to what is, as after a crash; senders hear of it. */
  function fail(batch: CoreEvent[], error: unknown): void {
    const wire = toWire(error)
    log.error(`a turn of ${batch.length} events failed`, { error })
    pending = []
    cache.clear()
    cacheBytes = 0
    const waiting = [...state.agents.values()].flatMap((agent) => agent.claimants.map((claimant) => claimant.reply))
    try {
      state = recover()
    } catch (again) {
      log.error('the state could not be read back', { error: again })
    }
    for (const reply of [...batch.flatMap((event) => ('reply' in event ? [event.reply] : [])), ...waiting])
      (reply as Settle)({ type: 'error', error: wire })
    restored()
  }

  function remember(turn: Turn): void {
    for (const op of turn.ops) {
      if (op.op !== 'message' || op.row.state === 'failed') continue
      cache.set(op.row.n, op.row)
      cacheBytes += op.row.sizeBytes + 256
    }
    for (const [n, row] of cache) {
      if (cacheBytes <= CACHE_BYTES) break
      cache.delete(n)
      cacheBytes -= row.sizeBytes + 256
    }
  }

  function arm(): void {
    if (state.wakeAt === wakeAt) return
    clearTimeout(wakeTimer)
    wakeAt = state.wakeAt
    if (wakeAt === Number.POSITIVE_INFINITY) return
    // A timer holds at most 24.8 days; waking early only looks again.
    wakeTimer = setTimeout(
      () => {
        wakeAt = Number.POSITIVE_INFINITY
        submit({ type: 'tick' })
      },
      Math.min(Math.max(1, wakeAt - now()), 2 ** 31 - 1),
    )
  }

  function submit(event: CoreEvent): void {
    if (isStopped) {
      if ('reply' in event) (event.reply as Settle)({ type: 'error', error: STOPPING })
      return
    }
    events.push(event)
    schedule()
  }

  arm()
  return {
    state: () => state,
    submit,
    afterCommit(then) {
      readers.push(then)
      schedule()
    },
    take(n) {
      const row = cache.get(n)
      if (row === undefined) return store.read.message(n)
      cache.delete(n)
      cacheBytes -= row.sizeBytes + 256
      return row
    },
    now,
    stop() {
      run()
      isStopped = true
      clearTimeout(wakeTimer)
      flushLate()
    },
  }
}

const STOPPING: WireError = {
  code: 'SHUTTING_DOWN',
  message: 'The daemon is stopping: start it again with agent-relay up',
}
