/** Runs the core: events of a tick make one turn, one commit, and only then effects. */
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
import { type Clock, systemClock } from './clock.ts'

/** Operations that no effect stands for are committed with the next that must be, or after this. */
const LAZY_COMMIT_MS = 25
/** While the disk is full every try fails again: no more often than this. */
const TRY_AGAIN_MS = 1_000
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
  /** Builds the state anew from what is on disk: the file was found damaged by somebody else than a turn. */
  rebuild(reason: Error): void
  stop(): void
}

type Options = {
  store: Store
  log: Log
  recover: () => State
  perform: (effects: Effect[]) => void
  /** The state was built anew after a failed commit: tell it again what only the process knows. */
  restored: () => void
  clock?: Clock | undefined
}

export function createEngine({ store, log, recover, perform, restored, clock = systemClock() }: Options): Engine {
  const { now } = clock
  let state = recover()
  let events: CoreEvent[] = []
  let readers: (() => void)[] = []
  let pending: Op[] = []
  let isScheduled = false
  let isStopped = false
  let cancelLazy: (() => void) | undefined
  /** Marks of turns that failed: an agent has what it has, whatever the disk says. */
  const marks: Mark[] = []
  let restoredAt = Number.NEGATIVE_INFINITY
  let cancelRestore: (() => void) | undefined
  let cancelWake = (): void => undefined
  let wakeAt = Number.POSITIVE_INFINITY
  const cache = new Map<number, MessageRow>()
  let cacheBytes = 0

  const schedule = (): void => {
    if (isScheduled || isStopped) return
    isScheduled = true
    clock.soon(run)
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
    for (const then of after) {
      try {
        then()
      } catch (error) {
        log.error('what waited for a commit failed', { error })
      }
    }
    arm()
  }

  /** The turn of these events, committed as far as its effects need it; undefined when it failed and everybody was told. */
  function decide(batch: CoreEvent[], isRead: boolean): Turn | undefined {
    let turn: Turn | undefined
    try {
      turn = step(state, batch, now())
      point('turn.decided')
      pending = pending.length === 0 ? turn.ops : pending.concat(turn.ops)
      if (turn.mustCommit || isRead || pending.length > 2000) {
        flush()
        committed(state, turn, now())
      } else if (pending.length > 0) cancelLazy ??= clock.after(LAZY_COMMIT_MS, flushLate)
      return turn
    } catch (error) {
      fail(batch, error, turn)
      return undefined
    }
  }

  function flush(): void {
    cancelLazy?.()
    cancelLazy = undefined
    if (pending.length === 0) return
    point('commit.before')
    store.commit(pending)
    pending = []
    point('commit.after')
  }

  /** No effect stands for these: when there is no room for them they wait, and the state goes on ahead of the disk. */
  function flushLate(): void {
    try {
      flush()
    } catch (error) {
      if (toWire(error).code !== 'DISK_FULL' || isStopped) {
        fail([], error)
        return
      }
      log.warn(`${pending.length} changes wait for room on the disk`)
      cancelLazy = clock.after(TRY_AGAIN_MS, flushLate)
    }
  }

  /** Nothing of the turn is on disk, so the state goes back to what is, as after a crash; senders hear of it. */
  function fail(batch: CoreEvent[], error: unknown, turn?: Turn): void {
    const wire = toWire(error)
    log.error(`a turn of ${batch.length} events failed`, { error })
    const marked = new Map(pending.flatMap((op) => (isMark(op) ? [[op.n, op.state]] : [])))
    pending = []
    cancelLazy?.()
    cancelLazy = undefined
    cache.clear()
    cacheBytes = 0
    const waiting = [...state.agents.values()].flatMap((agent) => agent.claimants.map((claimant) => claimant.reply))
    try {
      state = recover()
    } catch (again) {
      log.error('the state could not be read back', { error: again })
    }
    const [again, refused] = [batch.filter(isMarkEvent), batch.filter((event) => !isMarkEvent(event))]
    marks.push(...again, ...marksOf(state, marked))
    const asked = refused.flatMap((event) => ('reply' in event ? [event.reply] : []))
    // Also those who asked in an earlier turn, and whom this one would have answered.
    const answered = (turn?.effects ?? []).flatMap((effect) => (effect.type === 'answer' ? [effect.reply] : []))
    const replies = new Set([...asked, ...answered, ...waiting])
    for (const { reply } of again) replies.delete(reply)
    for (const reply of replies) (reply as Settle)({ type: 'error', error: wire })
    if (cancelRestore !== undefined) return
    const waitMs = restoredAt + TRY_AGAIN_MS - now()
    if (waitMs <= 0) restore()
    else cancelRestore = clock.after(waitMs, restore)
  }

  function restore(): void {
    cancelRestore = undefined
    restoredAt = now()
    // Before anybody receives again, or they would get what they have.
    for (const event of marks.splice(0)) submit(event)
    restored()
  }

  /** Of a damaged file nothing is handed over; what was saved of it is, once it is replaced. */
  function readBack(n: number): StoredMessage | undefined {
    try {
      return store.read.message(n)
    } catch (error) {
      log.error(`message ${n} could not be read`, { error })
      return undefined
    }
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
    cancelWake()
    wakeAt = state.wakeAt
    if (wakeAt === Number.POSITIVE_INFINITY) return
    // A timer holds at most 24.8 days; waking early only looks again.
    cancelWake = clock.after(Math.min(Math.max(1, wakeAt - now()), 2 ** 31 - 1), () => {
      wakeAt = Number.POSITIVE_INFINITY
      submit({ type: 'tick' })
    })
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
      if (row === undefined) return readBack(n)
      cache.delete(n)
      cacheBytes -= row.sizeBytes + 256
      return row
    },
    now,
    rebuild: (reason) => fail([], reason),
    stop() {
      run()
      isStopped = true
      cancelWake()
      cancelRestore?.()
      flushLate()
    },
  }
}

const STOPPING: WireError = {
  code: 'SHUTTING_DOWN',
  message: 'The daemon is stopping: start it again with agent-relay up',
}

type Mark = Extract<CoreEvent, { type: 'mark' }>
type MarkOp = Extract<Op, { op: 'state' }> & { state: Mark['state'] }

const isMarkEvent = (event: CoreEvent): event is Mark => event.type === 'mark'
const isMark = (op: Op): op is MarkOp => op.op === 'state' && (op.state === 'injected' || op.state === 'seen')

/** These marks as events, for what still waits in this state. */
function marksOf(state: State, marked: ReadonlyMap<number, Mark['state']>): Mark[] {
  if (marked.size === 0) return []
  return [...state.agents.values()].flatMap((agent) =>
    [...agent.waiting.values()].flatMap((entry): Mark[] => {
      const to = marked.get(entry.n)
      return to === undefined
        ? []
        : [{ type: 'mark', reply: () => undefined, agent: agent.key, ids: [entry.id], state: to, known: [] }]
    }),
  )
}
