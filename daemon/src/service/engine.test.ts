import { expect, test } from 'vitest'
import { emptyState } from '../core/state.ts'
import type { Answer, Op } from '../core/turn.ts'
import type { Log } from '../log.ts'
import { openStore, type Store } from '../store/store.ts'
import type { Clock } from './clock.ts'
import { createEngine } from './engine.ts'

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Time that passes when the test says so. */
function manualClock() {
  let now = 1_000_000
  let due: { at: number; act: () => void }[] = []
  const after = (ms: number, act: () => void) => {
    const timer = { at: now + ms, act }
    due.push(timer)
    return () => {
      due = due.filter((other) => other !== timer)
    }
  }
  const clock: Clock = { now: () => now, soon: (act) => void after(0, act), after }
  return {
    clock,
    pass(ms: number) {
      const end = now + ms
      for (;;) {
        const next = due.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        due = due.filter((timer) => timer !== next)
        now = Math.max(now, next.at)
        next.act()
      }
      now = end
    },
  }
}

/** An engine whose surroundings say after every failed commit that an agent is there, as the service does. */
function onFullDisk() {
  const disk = openStore(':memory:')
  const { clock, pass } = manualClock()
  const entropy = { id: () => crypto.randomUUID(), unit: () => 0.5 }
  const tried: number[] = []
  let isFull = true
  let restored = 0
  const store: Store = {
    ...disk,
    commit(ops: readonly Op[]) {
      tried.push(clock.now())
      if (isFull) throw new Error('full')
      disk.commit(ops)
    },
  }
  const engine = createEngine({
    store,
    log: silent,
    clock,
    recover: () => emptyState({ entropy, outboxEpoch: 'epoch', hostName: 'host', userName: 'me' }),
    perform: (effects) => {
      for (const effect of effects)
        if (effect.type === 'answer') (effect.reply as (answer: Answer) => void)(effect.answer)
    },
    restored() {
      restored++
      engine.submit({ type: 'linked', identity: null })
    },
  })
  return {
    engine,
    pass,
    tried,
    restored: () => restored,
    heal() {
      isFull = false
    },
  }
}

test('a full disk is tried again less and less often', () => {
  const { engine, pass, tried } = onFullDisk()
  engine.submit({ type: 'linked', identity: null })
  pass(10 * 60_000)
  // Twice at once, then after 1 s doubling to 30 s.
  expect(tried.length).toBeGreaterThan(20)
  expect(tried.length).toBeLessThan(30)
})

test('what the process knows is said again with the first commit that succeeds', () => {
  const { engine, pass, restored, heal } = onFullDisk()
  engine.submit({ type: 'linked', identity: null })
  pass(10 * 60_000)
  const before = restored()
  heal()
  engine.submit({ type: 'linked', identity: null })
  pass(1)
  expect(restored()).toBe(before + 1)
  pass(60_000)
  expect(restored()).toBe(before + 1)
})
