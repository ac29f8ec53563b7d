/** `@person` and `#channel` as the core resolves and receives them, without any I/O. */
import { DASHBOARD_AGENT, type Envelope, type Roster } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import { recipientOf } from './recipient.ts'
import { applyDelta, indexRoster, rosterOf } from './roster.ts'
import { resolve } from './routing.ts'
import { emptyState, type LocalAgent, newAgent, type State } from './state.ts'
import { step } from './step.ts'

const org = { id: 'o1', slug: 'acme', name: 'Acme' }
const machine = (id: string, name: string) => ({
  ...{ id, name, person: 'olga', platform: '', version: '', publicKey: null, isOnline: true, lastSeenAt: null },
})
const there = (name: string) => ({
  ...{ name, machine: 'm2', epoch: 1, status: 'online' as const, project: null, client: null, model: null },
  ...{ person: 'olga', lastSeenAt: null },
})
const roster: Roster = {
  version: 1,
  org,
  machines: [machine('m1', 'left'), machine('m2', 'right'), machine('o1', 'dashboard')],
  agents: [there('Bob'), { ...there('Alice'), machine: 'm1' }],
  cloud: 'o1',
  people: [
    { handle: 'Carol', name: 'Carol C' },
    { handle: 'carl', name: 'Carl' },
  ],
  channels: [{ name: 'Ops', members: ['alice', 'bob', 'gone'] }],
}

function machineState(known: Roster | null = roster): { state: State; alice: LocalAgent } {
  const state = emptyState({
    entropy: { id: () => '0199c0de-0000-7000-8000-000000000010', unit: () => 0.5 },
    ...{ outboxEpoch: 'e1', hostName: 'left', userName: 'olga' },
  })
  state.identity = { machine: { id: 'm1', name: 'left' }, org, person: 'olga' }
  state.roster = known && indexRoster(known)
  const row = { name: 'Alice', project: null, repository: null, model: null, client: null, capabilities: [] }
  const alice = newAgent(
    { ...row, ...{ tokenHash: '', isPerson: false, epoch: 1, claim: 'granted', lastSeenAt: null, pushedTo: 0 } },
    'alice',
  )
  state.agents.set('alice', alice)
  return { state, alice }
}

const resolved = (text: string, known: Roster | null = roster) => {
  const { state, alice } = machineState(known)
  return resolve(state, alice, text)
}

test('a person is one target at the control plane, shown as registered', () => {
  expect(resolved('@CAROL')).toEqual({
    ok: true,
    targets: [{ key: '@carol', name: '@Carol', machine: 'o1', project: null }],
    via: undefined,
  })
  expect(recipientOf('o1', { toAgent: '@Carol', project: null, via: null })).toEqual({
    machine: 'o1',
    agent: DASHBOARD_AGENT,
    user: 'Carol',
  })
})

test('a channel is each member that there is but the sender, and the control plane', () => {
  expect(resolved('#OPS')).toEqual({
    ok: true,
    targets: [
      { key: 'bob', name: 'Bob', machine: 'm2', project: null },
      { key: '#ops', name: '#Ops', machine: 'o1', project: null },
    ],
    via: '#Ops',
  })
  expect(recipientOf('m2', { toAgent: 'Bob', project: 'api', via: '#Ops' })).toEqual({
    ...{ machine: 'm2', agent: 'Bob', project: 'api', via: '#Ops', channel: 'Ops' },
  })
  expect(recipientOf('o1', { toAgent: '#Ops', project: null, via: '#Ops' })).toEqual({
    ...{ machine: 'o1', agent: DASHBOARD_AGENT, channel: 'Ops' },
  })
})

test('who is unknown is told with the nearest, and what is missing with what to do', () => {
  const { people: _, channels: __, cloud: ___, ...old } = roster
  const errors = [
    resolved('@carrol'),
    resolved('#opps'),
    resolved('@carol', old),
    resolved('#ops', null),
    (() => {
      const { state, alice } = machineState(null)
      state.identity = null
      return resolve(state, alice, '@carol')
    })(),
  ].map((result) => (result.ok ? undefined : `${result.error.code}: ${result.error.message}`))
  expect(errors).toEqual([
    expect.stringMatching(/^UNKNOWN_ADDRESS: Nobody is called "@carrol" in Acme\. Did you mean "@Carol" or "@carl"\?/),
    expect.stringMatching(
      /^UNKNOWN_ADDRESS: There is no channel "#opps" .*"#Ops"\? Make it with: agent-relay join '#opps'$/,
    ),
    expect.stringMatching(/^UNSUPPORTED_ADDRESS: .*without people and channels/),
    expect.stringMatching(/^NOT_CONNECTED: /),
    expect.stringMatching(/^NOT_LINKED: .*agent-relay link$/),
  ])
})

test('a delta brings all people and channels when any of them changed, and leaves them when none did', () => {
  const index = indexRoster(roster)
  const same = { base: 1, version: 2, machines: [], agents: [], removedMachines: [], removedAgents: [] }
  expect(applyDelta(index, same)).toBe(true)
  expect(rosterOf(index)).toEqual({ ...roster, version: 2 })
  applyDelta(index, { ...same, base: 2, version: 3, people: [], channels: [{ name: 'new', members: [] }] })
  expect(rosterOf(index)).toMatchObject({ cloud: 'o1', people: [], channels: [{ name: 'new' }] })
})

const fromPerson = (from: string): Envelope => ({
  ...{ v: 1, id: '0199c0de-0000-7000-8000-000000000011', org: 'o1' },
  from: { machine: from, agent: DASHBOARD_AGENT, epoch: 1, user: 'Carol' },
  to: { machine: 'm1', agent: 'Alice' },
  ...{ stream: 's', outboxEpoch: 'e9', seq: 0, ttlMs: 60_000, priority: 1, ts: 0, trace: 't', body: 'hello' },
})

test('a person speaks by the control plane only, and is not fenced by an agent of another epoch', () => {
  const { state } = machineState()
  // An agent that somebody called so is nobody's fence.
  state.roster?.agents.set(DASHBOARD_AGENT, { ...there(DASHBOARD_AGENT), epoch: 9 })
  const posing = step(state, [{ type: 'deliver', envelopes: [fromPerson('m2')] }], 1000)
  expect(posing.ops).toEqual([])
  expect(posing.effects).toMatchObject([
    { type: 'log', level: 'warn', text: expect.stringContaining('only the dashboard speaks for a person') },
  ])
  const { ops } = step(state, [{ type: 'deliver', envelopes: [fromPerson('o1')] }], 1001)
  expect(ops.find(({ op }) => op === 'message')).toMatchObject({
    row: { fromAgent: '@Carol', fromPerson: 'Carol', fromMachine: 'o1', state: 'accepted' },
  })
})

test('the history’s copy of a channel’s message is sent again alone: the members have theirs', () => {
  const { state } = machineState()
  const letter = {
    ...{ n: 1, id: '0199c0de-0000-7000-8000-000000000009', from: 'Alice', to: '#Ops', body: 'x', sizeBytes: 1 },
    ...{ thread: null, replyTo: null, ttlMs: 60_000, dead: 'open' as const, retriedAs: null },
  }
  const { ops } = step(state, [{ type: 'retry', reply: null, id: letter.id, letter }], 1000)
  const rows = ops.flatMap((op) => (op.op === 'message' ? [op.row] : []))
  expect(rows).toMatchObject([{ toAgent: '#Ops', toMachine: 'o1', via: '#Ops', retryOf: letter.id }])
})
