/** How old a roster is by statements that come in time, late, again, and from clocks that are wrong. */
import { ROSTER_HARD_MS, ROSTER_SOFT_MS } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import { ALICE, BOB, coreMachine, ME, rosterWith } from '../../test/support/core-machine.ts'
import { freshnessText, isRosterHard, isRosterSoft, movedFreshness, readFreshness, rosterAgeMs } from './freshness.ts'

/** Alice's machine, whose clock is `aheadMs` ahead of the control plane's. */
function here(aheadMs = 0) {
  const alice = coreMachine()
  const cloudNow = (): number => alice.now - aheadMs
  const hear = (at = cloudNow()): void => void alice.run({ type: 'fresh', at })
  const age = (): number => rosterAgeMs(alice.state, alice.now)
  return { alice, cloudNow, hear, age }
}

test('a roster that nobody confirmed is as old as can be', () => {
  const { alice, age } = here()
  expect(age()).toBe(Number.POSITIVE_INFINITY)
  expect([isRosterSoft(alice.state, alice.now), isRosterHard(alice.state, alice.now)]).toEqual([true, true])
})

test.each([0, 5_000, -5_000, 3 * 86_400_000, -3 * 86_400_000])(
  'it ages from its last confirmation, soft at 15 minutes and hard at a day, when the clocks differ by %d ms',
  (aheadMs) => {
    const { alice, hear, age } = here(aheadMs)
    hear()
    expect(age()).toBe(0)
    alice.pass(ROSTER_SOFT_MS - 1)
    expect(isRosterSoft(alice.state, alice.now)).toBe(false)
    alice.pass(1)
    expect([isRosterSoft(alice.state, alice.now), isRosterHard(alice.state, alice.now)]).toEqual([true, false])
    alice.pass(ROSTER_HARD_MS - ROSTER_SOFT_MS)
    expect(isRosterHard(alice.state, alice.now)).toBe(true)
    hear()
    expect(age()).toBe(0)
  },
)

test('a statement that was kept and is said again, or for the first time, makes nothing younger than it is', () => {
  const { alice, cloudNow, hear, age } = here(7_000)
  hear()
  alice.pass(60_000)
  const kept = cloudNow()
  alice.pass(3_600_000)
  hear(kept)
  expect(age()).toBe(3_600_000)
  alice.pass(60_000)
  hear(kept)
  expect(age()).toBe(3_660_000)
})

test('a slow way makes it a little older, and a later quick one shows how slow that was', () => {
  const { alice, cloudNow, hear, age } = here()
  const said = cloudNow()
  alice.pass(800)
  hear(said)
  expect(age()).toBe(0)
  hear(cloudNow() - 20)
  expect(age()).toBe(0)
  alice.pass(15_000)
  hear(cloudNow() - 500)
  expect(age()).toBe(480)
})

test('a control plane whose clock was ahead and is put right is believed at once', () => {
  const { alice, hear, age, cloudNow } = here()
  hear(cloudNow() + 3_600_000)
  alice.pass(60_000)
  hear()
  expect(age()).toBe(0)
})

test('it is on disk a minute behind at most, and a restart makes it no younger', () => {
  const { alice, hear, age } = here()
  hear()
  for (let i = 0; i < 7; i++) {
    alice.pass(15_000)
    hear()
  }
  alice.flush()
  alice.restart()
  expect(age()).toBeGreaterThanOrEqual(0)
  expect(age()).toBeLessThanOrEqual(60_000)
  expect(age(), 'not written every 15 s').toBeGreaterThan(0)
})

test('a new roster says nothing of how new it is, a new organization begins anew', () => {
  const { alice, hear, age } = here()
  hear()
  alice.pass(ROSTER_SOFT_MS)
  alice.run({ type: 'roster', roster: { ...rosterWith([ALICE, BOB]), version: 2 } })
  expect(age()).toBe(ROSTER_SOFT_MS)
  const org = { id: 'other', slug: 'other', name: 'Other' }
  alice.run({ type: 'linked', identity: { machine: { id: ME, name: 'alice' }, org, person: 'alice' } })
  alice.run({ type: 'up', roster: { ...rosterWith([ALICE]), org } })
  alice.flush()
  expect(age()).toBe(Number.POSITIVE_INFINITY)
  alice.restart()
  expect(age()).toBe(Number.POSITIVE_INFINITY)
})

test('what the disk has is moved with the clock, and anything else on it is no confirmation', () => {
  const freshness = { at: 1000, lagMs: 50, writtenAt: 0 }
  const read = readFreshness(freshnessText(freshness) ?? '')
  expect(movedFreshness(read, 7, 2000)).toMatchObject({ at: 1007, lagMs: 57 })
  expect(movedFreshness(read, 7000, 2000)).toMatchObject({ at: 2000 })
  for (const text of [undefined, '{}', '{"at":"1"}', '{"at":1}', 'null', '[1]'])
    expect(readFreshness(text).at, text).toBeNull()
})
