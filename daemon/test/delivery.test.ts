import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Crash, type Side, twoMachines } from './two-machines.ts'

const side = fc.constantFrom<Side>('a', 'b')
const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('send' as const), side }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('network' as const),
      pick: fc.double({ min: 0, max: 0.999, noNaN: true }),
      fate: fc.constantFrom('ok' as const, 'ok' as const, 'ok' as const, 'twice' as const, 'lost' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('tick' as const), ms: fc.integer({ min: 1, max: 40_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('up' as const), side }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('down' as const), side }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('link' as const, 'unlink' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      side,
      crash: fc.constantFrom<Crash>('none', 'before-commit', 'after-commit'),
    }),
  },
)
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

function run(seed: number, actions: Action[], ttlMs?: number) {
  const world = twoMachines(seed)
  for (const act of actions) {
    if (act.do === 'send') world.send(act.side, ttlMs)
    else if (act.do === 'network') world.network(act.pick, act.fate)
    else if (act.do === 'tick') world.tick(act.ms)
    else if (act.do === 'crash') world.crash(act.side, act.crash)
    else if (act.do === 'link') world.link()
    else if (act.do === 'unlink') world.unlink()
    else if (act.do === 'up') world.up(act.side)
    else if (act.do === 'down') world.down(act.side)
  }
  world.settle()
  return world
}

const other = (s: Side): Side => (s === 'a' ? 'b' : 'a')

test('whatever the network and crashes do, every queued message arrives once and in order', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(action, { minLength: 10, maxLength: 150 }), (seed, actions) => {
      const world = run(seed, actions)
      for (const from of ['a', 'b'] as const) {
        const arrived = world.inboxOf(other(from))
        // A crash after the commit and before the answer leaves a message that nobody was told of; it may arrive too.
        expect(arrived.filter((id) => world.queued[from].includes(id))).toEqual(world.queued[from])
        expect(new Set(arrived).size).toBe(arrived.length)
        expect(arrived).toEqual([...arrived].sort(bySending))
        for (const id of world.queued[from]) expect(world.stateOf(from, id)).toBe('accepted')
        expect(world.machines[from].state.outCount).toBe(0)
      }
      world.close()
    }),
    { numRuns: 300 },
  )
}, 60_000)

test('with a short time to live every queued message is accepted or failed, and what arrives is once and in order', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(action, { minLength: 10, maxLength: 150 }), (seed, actions) => {
      const world = run(seed, actions, 30_000)
      for (const from of ['a', 'b'] as const) {
        const arrived = world.inboxOf(other(from))
        expect(new Set(arrived).size).toBe(arrived.length)
        expect(arrived).toEqual([...arrived].sort(bySending))
        for (const id of world.queued[from]) {
          const state = world.stateOf(from, id)
          expect(['accepted', 'failed']).toContain(state)
          if (state === 'accepted') expect(world.machines[other(from)].store.read.byId(id)).toBeDefined()
        }
        expect(world.machines[from].state.outCount).toBe(0)
        // A stream that failed in places still carries what comes after.
        world.send(from)
      }
      world.settle()
      for (const from of ['a', 'b'] as const) expect(world.inboxOf(other(from)).at(-1)).toBe(world.queued[from].at(-1))
      world.close()
    }),
    { numRuns: 200 },
  )
}, 60_000)

test('a place in a stream that a crash forgot was sent is not given to the next message', () => {
  const crash = (on: Side) => ({ do: 'crash' as const, side: on, crash: 'none' as const })
  const arrive = { do: 'network' as const, pick: 0, fate: 'ok' as const }
  for (let seed = 0; seed < 50; seed++) {
    const world = run(
      seed,
      [
        crash('b'),
        { do: 'send', side: 'b' },
        { do: 'up', side: 'b' },
        { do: 'crash', side: 'a', crash: 'after-commit' },
        arrive,
        { do: 'send', side: 'a' },
        arrive,
        arrive,
        crash('b'),
        { do: 'tick', ms: 3_524 },
        arrive,
        arrive,
        { do: 'tick', ms: 26_476 },
      ],
      30_000,
    )
    world.send('b')
    world.settle()
    expect(world.inboxOf('a').at(-1)).toBe(world.queued.b.at(-1))
    world.close()
  }
})

test('a machine that lost its inbox gets what waits for it, however many messages the stream had before', () => {
  const world = twoMachines(1)
  for (let i = 0; i < 700; i++) {
    world.send('a')
    if (i % 20 === 0) world.settle(0.01)
  }
  world.settle(0.1)
  world.down('b')
  for (let i = 0; i < 3; i++) world.send('a')
  world.wipe('b')
  world.settle(0.2)
  expect(world.inboxOf('b')).toEqual(world.queued.a.slice(-3))
  expect(world.machines.a.state.outCount).toBe(0)
  world.close()
})

/** Ids of this world count up: their last group is the order of sending. */
const bySending = (a: string, b: string): number => (a.slice(-12) < b.slice(-12) ? -1 : 1)
