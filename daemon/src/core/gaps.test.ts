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
