/** Which rosters the core takes: within an organization it never goes back. */
import { expect, test } from 'vitest'
import { ALICE, BOB, CAROL, coreMachine, ME, rosterWith } from '../../test/support/core-machine.ts'
import { applyDelta, indexRoster, rosterOf } from './roster.ts'

const KEY = 'k'.repeat(43)
const delta = { machines: [], agents: [], removedMachines: [], removedAgents: [] }

test('an older roster is passed over, on a connection and at its beginning', () => {
  const alice = coreMachine()
  alice.run({ type: 'roster', roster: { ...rosterWith([ALICE, BOB]), version: 8 } })
  const old = { ...rosterWith([ALICE, BOB, CAROL]), version: 7 }
  alice.run({ type: 'roster', roster: old })
  alice.run({ type: 'up', roster: old })
  expect(alice.state.roster?.version).toBe(8)
  expect(alice.state.roster?.agents.has('carol'), 'who was removed does not come back').toBe(false)
  alice.flush()
  alice.restart()
  alice.run({ type: 'up', roster: old })
  expect(alice.state.roster?.version, 'also after a restart').toBe(8)
  alice.run({ type: 'up', roster: { ...old, version: 8 } })
  expect(alice.state.roster?.agents.has('carol'), 'the same version is no older one').toBe(true)
})

test('a control plane that signs none may have been set back, and another organization counts for itself', () => {
  const alice = coreMachine()
  alice.run({ type: 'roster', roster: { ...rosterWith([ALICE, BOB]), version: 8 } })
  alice.run({ type: 'up', roster: { ...rosterWith([ALICE]), version: 3 }, isUnsigned: true })
  expect(alice.state.roster?.version).toBe(3)
  const org = { id: 'other', slug: 'other', name: 'Other' }
  alice.run({ type: 'linked', identity: { machine: { id: ME, name: 'alice' }, org, person: 'alice' } })
  alice.run({ type: 'up', roster: { ...rosterWith([ALICE]), org, version: 1 } })
  expect(alice.state.roster).toMatchObject({ version: 1, org: { id: 'other' } })
})

test('a delta that leads nowhere or back is passed over', () => {
  const index = indexRoster({ ...rosterWith([ALICE, BOB]), version: 5 })
  for (const [base, version] of [
    [4, 6],
    [5, 5],
    [5, 4],
  ] as const)
    expect(applyDelta(index, { ...delta, base, version, removedAgents: ['bob'] })).toBe(false)
  expect(index.version).toBe(5)
  expect(index.agents.has('bob')).toBe(true)
})

test('the archive’s key and the machines’ come with the roster, change with a delta, and outlive a restart', () => {
  const seals = [{ key: KEY, signature: 's'.repeat(86) }]
  const roster = rosterWith([ALICE, BOB])
  const [first, ...others] = roster.machines
  const machines = [{ ...(first as (typeof roster.machines)[number]), seals }, ...others]
  const alice = coreMachine()
  alice.run({ type: 'roster', roster: { ...roster, machines, version: 5, archive: KEY } })
  alice.flush()
  alice.restart()
  expect(alice.state.roster).toMatchObject({ archive: KEY })
  expect(alice.state.roster?.machines.get(ME)?.seals).toEqual(seals)
  alice.run({ type: 'delta', delta: { ...delta, base: 5, version: 6 } })
  expect(alice.state.roster?.archive, 'a delta that says nothing of it').toBe(KEY)
  alice.run({ type: 'delta', delta: { ...delta, base: 6, version: 7, archive: null } })
  expect(alice.state.roster?.archive).toBeNull()
  expect(rosterOf(indexRoster({ ...roster, archive: null }))).not.toHaveProperty('archive')
})
