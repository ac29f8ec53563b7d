import { expect, test } from 'vitest'
import { ackOf, BOB, CAROL, coreMachine, envelope, returnedBy, seqs } from '../../test/support/core-machine.ts'
import { REPROBE_MS, RETRY_FIRST_MS } from './limits.ts'
import type { CoreEvent } from './turn.ts'

const up = { type: 'peer', machine: BOB.machine, isUp: true } as const
const gone = { type: 'peer', machine: BOB.machine, isUp: false } as const
const sentBy = (alice: ReturnType<typeof coreMachine>) => ({
  relay: seqs(alice.take('relay').flatMap((effect) => effect.messages)),
  direct: seqs(alice.take('direct').flatMap((effect) => effect.messages)),
})

type Step = 'relay up' | 'relay down' | 'direct up' | 'direct down'
const choices: [string, Step[], 'relay' | 'direct' | 'none'][] = [
  ['the relay, when there is nothing else', [], 'relay'],
  ['the direct link, when there is one', ['direct up'], 'direct'],
  ['the direct link, while the control plane is away', ['direct up', 'relay down'], 'direct'],
  ['the direct link, that came up while the control plane was away', ['relay down', 'direct up'], 'direct'],
  ['the relay again, when the direct link is gone', ['direct up', 'direct down'], 'relay'],
  ['nowhere, while there is neither', ['relay down'], 'none'],
  ['nowhere, when both are gone', ['direct up', 'relay down', 'direct down'], 'none'],
]

test.each(choices)('a message goes by %s', (_, steps, path) => {
  const alice = coreMachine()
  for (const change of steps) {
    if (change === 'relay up') alice.join()
    else if (change === 'relay down') alice.run({ type: 'down' })
    else alice.run(change === 'direct up' ? up : gone)
  }
  const [id] = alice.send('Bob')
  expect(sentBy(alice)).toEqual({ relay: [], direct: [], ...(path !== 'none' && { [path]: [0] }) })
  expect(alice.row(id as string)?.path).toBe(path === 'none' ? null : path)
})

test('a direct link to one machine is no path to another', () => {
  const alice = coreMachine()
  alice.run(up)
  alice.send('Carol')
  expect(sentBy(alice)).toEqual({ relay: [0], direct: [] })
})

test('a name that the control plane never granted does not leave by a direct link', () => {
  const alice = coreMachine([BOB])
  alice.run({ type: 'down' }, up)
  alice.run({
    type: 'register',
    reply: undefined,
    facts: { name: 'Alice', project: null, repository: null, model: null, client: null, capabilities: [] },
    tokenHash: 'hash',
    isPerson: false,
  })
  alice.send('Bob')
  expect(sentBy(alice)).toEqual({ relay: [], direct: [] })
  alice.run({ type: 'claims', results: [{ ok: true, name: 'Alice', epoch: 4 }] })
  expect(alice.take('direct').flatMap((effect) => effect.messages.map((message) => message.epoch))).toEqual([4])
})

test('when a direct link comes up or dies, everything unacknowledged goes by the other path at once and in order', () => {
  const alice = coreMachine()
  for (let i = 0; i < 5; i++) alice.send('Bob')
  expect(sentBy(alice)).toEqual({ relay: [0, 1, 2, 3, 4], direct: [] })
  alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, 0)] }))
  alice.run(up)
  expect(sentBy(alice)).toEqual({ relay: [], direct: [1, 2, 3, 4] })
  alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, 2)] }))
  alice.run(gone)
  expect(sentBy(alice)).toEqual({ relay: [3, 4], direct: [] })
})

test('the control plane going away and coming back does not touch what goes by a direct link', () => {
  const alice = coreMachine()
  alice.run(up)
  alice.send('Bob')
  sentBy(alice)
  alice.run({ type: 'down' })
  alice.join()
  expect(sentBy(alice)).toEqual({ relay: [], direct: [] })
})

test('a link that is said to be up twice sends nothing twice', () => {
  const alice = coreMachine()
  alice.send('Bob')
  alice.run(up)
  sentBy(alice)
  alice.run(up)
  expect(sentBy(alice)).toEqual({ relay: [], direct: [] })
})

test('of what the cloud stores only the oldest goes by a direct link, the next with each acknowledgement', () => {
  const alice = coreMachine()
  const ids = [0, 1, 2].flatMap(() => alice.send('Bob'))
  alice.run({ type: 'relayed', ids, results: ids.map((id) => ({ id, state: 'stored' })) })
  sentBy(alice)
  alice.run(up)
  expect(sentBy(alice).direct).toEqual([0])
  alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, 0)] }))
  expect(sentBy(alice).direct).toEqual([1])
  alice.send('Bob')
  expect(sentBy(alice).direct).toEqual([3])
  // The recipient holds 3 and lacks 1: now it gets all of it.
  alice.run(returnedBy(BOB.machine, { gaps: [{ ...ackOf(alice.state, 0), next: 1 }] }))
  expect(sentBy(alice).direct).toEqual([1, 2, 3])
})

test('what the cloud stores is asked about once a minute by relay, and every second by a direct link', () => {
  const alice = coreMachine()
  const [id = ''] = alice.send('Bob')
  alice.run({ type: 'relayed', ids: [id], results: [{ id, state: 'stored' }] })
  sentBy(alice)
  alice.pass(REPROBE_MS - 1)
  expect(sentBy(alice).relay).toEqual([])
  alice.pass(1)
  expect(sentBy(alice).relay).toEqual([0])
  alice.run(up)
  expect(sentBy(alice).direct).toEqual([0])
  alice.pass(RETRY_FIRST_MS)
  expect(sentBy(alice).direct).toEqual([0])
})

const ways: [string, (alice: ReturnType<typeof coreMachine>, id: string) => void, string][] = [
  ['relay', () => undefined, 'relay'],
  ['mailbox', (alice, id) => alice.run({ type: 'relayed', ids: [id], results: [{ id, state: 'stored' }] }), 'mailbox'],
  ['direct', (alice) => alice.run(up), 'direct'],
  [
    'mailbox, asked about by relay',
    (alice, id) => {
      alice.run({ type: 'relayed', ids: [id], results: [{ id, state: 'stored' }] })
      alice.pass(REPROBE_MS)
    },
    'mailbox',
  ],
  [
    'direct, after the cloud stored it',
    (alice, id) => {
      alice.run({ type: 'relayed', ids: [id], results: [{ id, state: 'stored' }] })
      alice.run(up)
    },
    'direct',
  ],
  [
    'relay, after the direct link died',
    (alice) => {
      alice.run(up)
      alice.run(gone)
    },
    'relay',
  ],
]

test.each(ways)('an accepted message shows the path of its last attempt: %s', (_, way, path) => {
  const alice = coreMachine()
  const [id = ''] = alice.send('Bob')
  way(alice, id)
  alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, 0)] }))
  expect(alice.row(id)).toMatchObject({ state: 'accepted', path })
})

test('a refusal by the relay does not end what has gone by a direct link since', () => {
  const alice = coreMachine()
  const [id = ''] = alice.send('Bob')
  alice.run(up)
  const error = { code: 'NOT_FOUND' as const, message: 'The machine is not there.' }
  alice.run({ type: 'relayed', ids: [id], results: [{ id, state: 'refused', error }] })
  expect(alice.row(id)?.state).toBe('queued')
})

test('acknowledgements go by the direct link; what came by the relay is acknowledged there too, so that its mailbox empties', () => {
  const alice = coreMachine()
  const said = () => ({
    relay: alice.take('return').flatMap((effect) => effect.batch.acks.map((ack) => ack.upTo)),
    direct: alice.take('directReturn').flatMap((effect) => effect.batch.acks.map((ack) => ack.upTo)),
  })
  alice.run({ type: 'deliver', envelopes: [envelope(0)] })
  expect(said()).toEqual({ relay: [0], direct: [] })
  alice.run(up)
  alice.run({ type: 'deliver', envelopes: [envelope(1)], peer: BOB.machine })
  expect(said()).toEqual({ relay: [], direct: [1] })
  alice.run({ type: 'deliver', envelopes: [envelope(2)] })
  expect(said()).toEqual({ relay: [2], direct: [2] })
  alice.run({ type: 'down' })
  alice.run({ type: 'deliver', envelopes: [envelope(3)], peer: BOB.machine })
  expect(said()).toEqual({ relay: [], direct: [3] })
  alice.run(gone)
  alice.run({ type: 'deliver', envelopes: [envelope(4)], peer: BOB.machine })
  expect(said()).toEqual({ relay: [], direct: [] })
})

const early: [string, CoreEvent[]][] = [
  ['came too early', [{ type: 'deliver', envelopes: [envelope(2), envelope(1)] }]],
  [
    'came too early by both paths',
    [
      { type: 'deliver', envelopes: [envelope(1)], peer: BOB.machine },
      { type: 'deliver', envelopes: [envelope(1)] },
    ],
  ],
  [
    'could not be read',
    [
      {
        type: 'unreadable',
        machine: BOB.machine,
        outboxEpoch: envelope(1).outboxEpoch,
        stream: envelope(1).stream,
        seq: 1,
      },
    ],
  ],
]

test.each(early)(
  'what %s by the relay is acknowledged there, too, once a direct link fills the hole before it',
  (_, events) => {
    const alice = coreMachine()
    alice.run(up, ...events)
    alice.take('return')
    alice.run({ type: 'deliver', envelopes: [envelope(0), envelope(1), envelope(2)], peer: BOB.machine })
    expect(alice.inbox().length).toBe(3)
    expect(alice.take('return').flatMap((effect) => effect.batch.acks.map((ack) => ack.upTo))).toEqual([2])
    alice.run({ type: 'deliver', envelopes: [envelope(3)], peer: BOB.machine })
    expect(alice.take('return')).toEqual([])
  },
)

const strangers: [string, Parameters<typeof envelope>[1], number, 'taken' | 'kept by its sender' | 'refused'][] = [
  ['its own agent', {}, 1, 'taken'],
  [
    'another machine as its sender',
    { from: { machine: CAROL.machine, agent: 'Carol', epoch: 1 } },
    1,
    'kept by its sender',
  ],
  ["another machine's agent", { from: { machine: BOB.machine, agent: 'Carol', epoch: 1 } }, 1, 'kept by its sender'],
  [
    "another machine's agent with a greater epoch",
    { from: { machine: BOB.machine, agent: 'Carol', epoch: 9 } },
    1,
    'kept by its sender',
  ],
  ['an agent that nobody knows', { from: { machine: BOB.machine, agent: 'Eve', epoch: 1 } }, 1, 'kept by its sender'],
  [
    'a name that moved on under a later epoch',
    { from: { machine: BOB.machine, agent: 'Carol', epoch: 1 } },
    2,
    'refused',
  ],
]

test.each(strangers)('by a direct link an envelope with %s', (_, change, carolsEpoch, fate) => {
  const alice = coreMachine([{ name: 'Alice', machine: 'm-alice' }, BOB, { ...CAROL, epoch: carolsEpoch }])
  alice.run(up)
  alice.run({ type: 'deliver', envelopes: [envelope(0, change)], peer: BOB.machine })
  const batches = alice.take('directReturn').map((effect) => effect.batch)
  expect(alice.inbox().length).toBe(fate === 'taken' ? 1 : 0)
  expect(batches.flatMap((batch) => batch.acks.length)).toEqual(fate === 'kept by its sender' ? [] : [1])
  expect(batches.flatMap((batch) => batch.receipts.map((receipt) => receipt.reason))).toEqual(
    fate === 'refused' ? ['FENCED'] : [],
  )
})
