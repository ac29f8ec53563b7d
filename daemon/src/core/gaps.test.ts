import { MAX_TTL_MS } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import { type CoreMachine, coreMachine, envelope } from '../../test/support/core-machine.ts'
import { GAP_MAX_MS, GAP_MS } from './limits.ts'

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
