import { MAX_TTL_MS } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import { type CoreMachine, coreMachine, envelope, ME } from '../../test/support/core-machine.ts'
import { GAP_MAX_MS, GAP_MS, HOLD_ALL_MESSAGES, WINDOW_MESSAGES } from './limits.ts'
import type { CoreEvent } from './turn.ts'

const asked = (alice: CoreMachine): number[] =>
  alice.take('return').flatMap(({ batch }) => batch.gaps.map((gap) => gap.next))

test('what is missing is asked for soon, and less and less often while nobody has it', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(1, { ttlMs: 30 * 86_400_000 })] })
  alice.pass(GAP_MS)
  expect(asked(alice)).toEqual([0])
  alice.pass(3_600_000)
  const first = asked(alice).length
  expect(first).toBeGreaterThan(10)
  expect(first).toBeLessThan(20)
  alice.pass(3_600_000)
  expect(asked(alice)).toHaveLength(3_600_000 / GAP_MAX_MS)
})

test('the next hole after one that was filled is asked for soon again', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(1), envelope(3)] })
  alice.pass(600_000)
  asked(alice)
  alice.run({ type: 'deliver', envelopes: [envelope(0)] })
  alice.pass(GAP_MS)
  expect(asked(alice)).toEqual([2])
})

test('what was asked for in vain is asked for soon again on a new connection', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(1)] })
  alice.pass(1_800_000)
  asked(alice)
  alice.run({ type: 'down' })
  alice.join()
  alice.pass(GAP_MS)
  expect(asked(alice)).toEqual([0])
})

test('an empty place outlives the messages behind it, also in a mailbox', () => {
  const alice = coreMachine()
  alice.run({ type: 'down' })
  alice.send('Bob', { ttlMs: 1_000 })
  alice.send('Bob', { ttlMs: 86_400_000 })
  alice.pass(2_000)
  alice.take('relay')
  alice.join()
  const sent = alice.take('relay').flatMap(({ messages }) => messages)
  expect(sent.map(({ isVoid, ttlMs }) => ({ isVoid, ttlMs }))).toEqual([
    { isVoid: true, ttlMs: MAX_TTL_MS },
    { isVoid: false, ttlMs: 86_398_000 },
  ])
})

const BOBS = { machine: 'm-bob', outboxEpoch: 'bobs-epoch', stream: 'bob>alice@m-alice' }
const unread = (seq: number, of = BOBS): CoreEvent => ({ type: 'unreadable', ...of, seq })
const acked = (alice: CoreMachine): number[] =>
  alice.take('return').flatMap(({ batch }) => batch.acks.map((ack) => ack.upTo))

test('what cannot be read is not acknowledged, and asked for with the usual patience', () => {
  const alice = coreMachine()
  alice.run(unread(0))
  expect(acked(alice)).toEqual([])
  alice.pass(GAP_MS)
  expect(asked(alice)).toEqual([0])
  for (let n = 0; n < 20; n++) alice.run(unread(0))
  alice.pass(3_600_000)
  const times = asked(alice).length
  expect(times).toBeGreaterThan(10)
  expect(times).toBeLessThan(20)
})

test('what comes again in a form that can be read goes on as if nothing had been', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(0), envelope(2)] }, unread(1))
  alice.pass(GAP_MS)
  expect(asked(alice)).toEqual([1])
  alice.run({ type: 'deliver', envelopes: [envelope(1)] })
  expect(acked(alice)).toEqual([2])
  expect(alice.state.gaps.size).toBe(0)
  alice.pass(3_600_000)
  expect(asked(alice)).toEqual([])
})

test('what came before a place that cannot be read does not end the asking for it', () => {
  const alice = coreMachine()
  alice.run(unread(1))
  alice.run({ type: 'deliver', envelopes: [envelope(0)] })
  alice.pass(GAP_MS)
  expect(asked(alice)).toEqual([1])
})

test('a mailbox that brings what is long known in a form nobody can read is told to forget it', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(0), envelope(1)] })
  alice.take('return')
  alice.run(unread(0))
  expect(acked(alice)).toEqual([1])
  alice.pass(3_600_000)
  expect(asked(alice)).toEqual([])
})

test('after a restart it is asked for once it comes again', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(0)] }, unread(1))
  alice.flush()
  alice.restart()
  alice.join()
  alice.run(unread(1))
  alice.pass(GAP_MS)
  expect(asked(alice)).toEqual([1])
})

test('thousands of streams that nobody can read take no more memory than what is held', () => {
  const alice = coreMachine()
  for (let n = 0; n < HOLD_ALL_MESSAGES + 100; n++) alice.run(unread(2 ** 31, { ...BOBS, stream: `s${n}` }))
  expect(alice.state.gaps.size).toBe(HOLD_ALL_MESSAGES)
  expect(alice.state.inStreams.size).toBe(HOLD_ALL_MESSAGES)
  alice.run(unread(0, { ...BOBS, machine: ME }))
  expect(alice.state.inStreams.size).toBe(HOLD_ALL_MESSAGES)
})

test('a place far ahead that cannot be read is asked for no longer than a window goes on', () => {
  const alice = coreMachine()
  alice.run(unread(2 ** 31))
  alice.run({ type: 'deliver', envelopes: Array.from({ length: WINDOW_MESSAGES }, (_, seq) => envelope(seq)) })
  expect(alice.state.gaps.size).toBe(0)
})
