/** Which rosters the core takes: within an organization it never goes back. And what becomes of machines that are in it no more. */
import { expect, test } from 'vitest'
import { ALICE, BOB, CAROL, coreMachine, envelope, ME, rosterWith } from '../../test/support/core-machine.ts'
import { applyDelta, indexRoster, isRemoved, rosterOf } from './roster.ts'

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

const withoutBob = { ...delta, base: 1, version: 2, removedMachines: [BOB.machine], removedAgents: ['bob'] }

test('what is under way to a machine that was removed fails at once, whether it left, waits in the cloud, or never left', () => {
  const alice = coreMachine()
  const [left = '', stored = ''] = [alice.send('Bob'), alice.send('Bob')].flat()
  alice.run({ type: 'relayed', ids: [stored], results: [{ id: stored, state: 'stored' }] })
  alice.run({ type: 'down' })
  const [unsent = ''] = alice.send('Bob')
  const [toCarol = ''] = alice.send('Carol')
  alice.run({ type: 'delta', delta: withoutBob })
  for (const id of [left, stored, unsent]) expect(alice.row(id)).toMatchObject({ state: 'failed', reason: 'NOT_FOUND' })
  expect(alice.row(toCarol)?.state).toBe('queued')
  const notices = alice.inbox().map(({ body }) => body)
  expect(notices.length).toBe(3)
  expect(notices.filter((body) => body.includes('an earlier try may have arrived')).length).toBe(2)
  alice.take('relay')
  const rejoin = () => {
    alice.run({ type: 'up', roster: { ...rosterWith([ALICE, CAROL]), version: 2 } })
    alice.run({ type: 'claims', results: [{ ok: true, name: 'Alice', epoch: 1 }] })
    alice.pass(3_600_000)
    return new Set(alice.take('relay').flatMap((effect) => effect.messages.map(({ machine }) => machine)))
  }
  expect(rejoin()).toEqual(new Set([CAROL.machine]))
  alice.restart()
  expect(rejoin()).toEqual(new Set([CAROL.machine]))
  expect(alice.inbox().length).toBe(3)
})

test('what never left goes on to where its agent is now, though its machine was removed', () => {
  const alice = coreMachine()
  alice.run({ type: 'down' })
  const [id = ''] = alice.send('Bob')
  alice.run({ type: 'roster', roster: { ...rosterWith([ALICE, { name: 'Bob', machine: 'm-new' }]), version: 2 } })
  expect(alice.row(id)).toMatchObject({ state: 'queued', toMachine: 'm-new' })
})

test('nothing is owed to a machine that was removed, neither from before nor anew', () => {
  const alice = coreMachine()
  const [first, second] = [envelope(0), envelope(1)]
  const mark = (id: string) =>
    alice.run({ type: 'mark', reply: () => undefined, agent: 'alice', ids: [id], state: 'injected', known: [] })
  alice.run({ type: 'deliver', envelopes: [first, second] })
  mark(first.id)
  expect(alice.state.owedCount).toBe(1)
  alice.run({ type: 'delta', delta: withoutBob })
  mark(second.id)
  expect(alice.state.owedCount).toBe(0)
  alice.flush()
  alice.restart()
  expect(alice.state.owedCount).toBe(0)
})

test('the control plane’s own machine is never taken for a removed one, and without a roster nobody is', () => {
  const index = indexRoster({ ...rosterWith([ALICE]), cloud: 'org' })
  expect([ME, 'org', BOB.machine].map((machine) => isRemoved(index, machine))).toEqual([false, false, true])
  expect(isRemoved(null, BOB.machine)).toBe(false)
})
