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
      engine.submit({ type: 'linked', identity: null })
    },
  })
  return {
    engine,
    pass,
    tried,
    fill() {
      isFull = true
    },
    heal() {
      isFull = false
    },
  }
}

test('a full disk is tried again no more often than once a second', () => {
  const { engine, pass, tried } = onFullDisk()
  engine.submit({ type: 'linked', identity: null })
  pass(60_000)
  expect(tried.length).toBeGreaterThan(50)
  expect(tried.length).toBeLessThan(65)
})

test('a registration that waits for its answer hears of a disk that is full when the answer comes', () => {
  const { engine, pass, fill, heal } = onFullDisk()
  heal()
  const identity = { machine: { id: 'm', name: 'm' }, org: { id: 'o', slug: 'o', name: 'O' }, person: 'me' }
  engine.submit({ type: 'linked', identity })
  engine.submit({ type: 'up', roster: { version: 1, org: identity.org, machines: [], agents: [] } })
  const answers: Answer['type'][] = []
  const facts = { name: 'Ada', project: null, repository: null, model: null, client: null, capabilities: [] }
  const reply = (answer: Answer) => answers.push(answer.type)
  engine.submit({ type: 'register', facts, tokenHash: 'hash', isPerson: false, reply })
  pass(1)
  expect(answers).toEqual([])
  fill()
  engine.submit({ type: 'claims', results: [{ ok: true, name: 'Ada', epoch: 1 }] })
  pass(10_000)
  expect(answers).toEqual(['error'])
})
