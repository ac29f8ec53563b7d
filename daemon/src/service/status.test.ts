import { StatusView } from '@agent-relay/protocol/local'
import { describe, expect, test } from 'vitest'
import { ackOf, BOB, coreMachine, ME, returnedBy } from '../../test/support/core-machine.ts'
import { confirm } from '../core/freshness.ts'
import { statusView } from './status.ts'

type Alice = ReturnType<typeof coreMachine>
type Sealing = Parameters<typeof statusView>[0]['sealing']

const link = {
  ...{ url: 'https://relay.test', key: '', person: 'alice', isInsecure: false },
  ...{ machine: { id: ME, name: 'alice' }, org: { id: 'org', slug: 'acme', name: 'Acme' } },
}
const statusOf = (alice: Alice, sealing: Sealing = null): StatusView => {
  alice.flush()
  const view = { state: 'connected', latencyMs: 12, reason: null } as const
  return StatusView.parse(
    statusView({
      ...{ version: '0.1.0', home: '/h', uptimeMs: 1, links: [], sealing },
      ...{ state: alice.state, store: alice.store, now: alice.now },
      control: { link: () => link, view: () => view } as never,
    }),
  )
}

describe('messages that were handed over and not read', () => {
  let places = 0
  /** Bob's machine has it, his agent has it, and has read it when it says so. */
  const handed = (alice: Alice, ...states: ('injected' | 'seen')[]): string => {
    const [id = ''] = alice.send('Bob')
    const receipts = states.map((state) => ({ id, state, to: ME }))
    alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, places++)], receipts }))
    return id
  }
  const lines = (alice: Alice) => statusOf(alice).health.filter((line) => line.includes('not seen'))

  test('are told of an agent that has read others before, with the oldest to look at', () => {
    places = 0
    const alice = coreMachine()
    handed(alice, 'injected', 'seen')
    const oldest = handed(alice, 'injected')
    handed(alice, 'injected')
    expect(lines(alice)).toEqual([])
    alice.pass(22 * 60_000)
    expect(lines(alice)).toEqual([`Bob has 2 messages injected but not seen for 22m (agent-relay trace ${oldest})`])
    // Whoever reads what came later has passed over the earlier ones knowingly.
    handed(alice, 'injected', 'seen')
    expect(lines(alice)).toEqual([])
  })

  test('are nothing to tell of an agent that never says that it reads', () => {
    places = 0
    const alice = coreMachine()
    handed(alice, 'injected')
    alice.pass(60 * 60_000)
    expect(lines(alice)).toEqual([])
  })
})

test('a roster has an age once it was confirmed, and is doubted when it is old', () => {
  const alice = coreMachine()
  expect(statusOf(alice)).not.toHaveProperty('roster')
  const turn = alice.run({ type: 'tick' })
  confirm(alice.state, alice.now, turn)
  expect(statusOf(alice).roster).toEqual({ ageMs: 0, state: 'fresh' })
  alice.pass(16 * 60_000)
  expect(statusOf(alice)).toMatchObject({
    roster: { ageMs: 16 * 60_000, state: 'stale' },
    health: [expect.stringContaining('16 minutes old')],
  })
  alice.pass(24 * 3_600_000)
  expect(statusOf(alice).roster?.state).toBe('expired')
})

test('nothing counts as sealed where nobody else can open it, and trouble with it is in the health check', () => {
  const alice = coreMachine()
  const sealing = { mode: 'archived', unsealedPeers: ['carol'], problems: ['carol cannot open anything'] } as const
  const copy = (unsealedPeers: string[]) => ({ ...sealing, unsealedPeers, problems: [...sealing.problems] })
  expect(statusOf(alice, copy(['carol']))).toMatchObject({
    sealing: { mode: 'archived', unsealed: ['carol'] },
    health: expect.arrayContaining(['carol cannot open anything']),
  })
  expect(statusOf(alice, copy(['bob', 'carol'])).sealing?.mode).toBe('off')
  expect(statusOf(alice)).not.toHaveProperty('sealing')
})
