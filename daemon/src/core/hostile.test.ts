/** What a broken or hostile machine says must not make this one lose, repeat or confirm anything. One refusal a test. */
import type { Ack } from '@agent-relay/protocol'
import { expect, test } from 'vitest'
import {
  ALICE,
  ackOf,
  BOB,
  CAROL,
  type CoreMachine,
  coreMachine,
  envelope,
  ME,
  returnedBy,
  seqs,
  uuid,
} from '../../test/support/core-machine.ts'
import { GAP_MS, HOLD_ALL_MESSAGES, HOLD_MESSAGES, INBOX_MESSAGES, MAX_SEQ, WINDOW_MESSAGES } from './limits.ts'

const relayed = (alice: CoreMachine) => seqs(alice.take('relay').flatMap((effect) => effect.messages))
const acks = (alice: CoreMachine) => alice.take('return').flatMap(({ batch }) => batch.acks.map((ack) => ack.upTo))

/** Alice has sent three messages to Bob. */
function three(): { alice: CoreMachine; ids: string[] } {
  const alice = coreMachine()
  const ids = [0, 1, 2].flatMap(() => alice.send('Bob'))
  relayed(alice)
  return { alice, ids }
}
const states = (alice: CoreMachine, ids: string[]) => ids.map((id) => alice.row(id)?.state)

const badAcks: [string, string, (ack: Ack) => Ack][] = [
  ['from another machine', CAROL.machine, (ack) => ack],
  ['of another outbox epoch', BOB.machine, (ack) => ({ ...ack, outboxEpoch: 'older' })],
  ['of a stream that is not there', BOB.machine, (ack) => ({ ...ack, stream: 'alice>eve@m-bob' })],
  ['beyond every number', BOB.machine, (ack) => ({ ...ack, upTo: MAX_SEQ })],
  ['of nothing', BOB.machine, (ack) => ({ ...ack, upTo: -1 })],
]

test.each(badAcks)('an acknowledgement %s confirms nothing', (_, from, change) => {
  const { alice, ids } = three()
  alice.run(returnedBy(from, { acks: [change(ackOf(alice.state, 2))] }))
  expect(states(alice, ids)).toEqual(['queued', 'queued', 'queued'])
  expect(alice.state.outCount).toBe(3)
})

test('an acknowledgement of places that this disk never gave away confirms nothing, says so, and the stream goes on', () => {
  const { alice, ids } = three()
  alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, 9)] }))
  expect(states(alice, ids)).toEqual(['failed', 'failed', 'failed'])
  expect(alice.row(ids[0] as string)).toMatchObject({
    reason: 'CONFLICT',
    note: expect.stringContaining('may have arrived or not'),
  })
  expect(alice.inbox()).toHaveLength(3)
  alice.send('Bob')
  expect(relayed(alice)).toEqual([10])
  alice.restart()
  alice.join()
  expect(relayed(alice)).toEqual([10])
  alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, 10)] }))
  expect(alice.state.outCount).toBe(0)
})

test('what waits behind the window cannot be acknowledged before it was sent', () => {
  const alice = coreMachine()
  const ids = Array.from({ length: WINDOW_MESSAGES + 10 }, () => alice.send('Bob')).flat()
  expect(relayed(alice)).toHaveLength(WINDOW_MESSAGES)
  alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, WINDOW_MESSAGES + 5)] }))
  expect(states(alice, ids)).not.toContain('accepted')
})

test('a gap from another machine, of another epoch or beyond what was sent sends nothing', () => {
  const { alice } = three()
  const gap = { ...ackOf(alice.state, 0), next: 0 }
  alice.run(returnedBy(CAROL.machine, { gaps: [gap] }))
  alice.run(returnedBy(BOB.machine, { gaps: [{ ...gap, outboxEpoch: 'older' }] }))
  alice.run(returnedBy(BOB.machine, { gaps: [{ ...gap, next: 3 }] }))
  alice.run(returnedBy(BOB.machine, { gaps: [{ ...gap, next: Number.MAX_SAFE_INTEGER }] }))
  expect(relayed(alice)).toEqual([])
})

test('the same gap asked a hundred times at once is answered once', () => {
  const { alice } = three()
  const gap = { ...ackOf(alice.state, 0), next: 0 }
  for (let i = 0; i < 100; i++) alice.run(returnedBy(BOB.machine, { gaps: [gap] }))
  expect(relayed(alice)).toEqual([0, 1, 2])
  alice.pass(GAP_MS)
  relayed(alice)
  alice.run(returnedBy(BOB.machine, { gaps: [gap] }))
  expect(relayed(alice)).toEqual([0, 1, 2])
})

test('a recipient that lost its inbox after thousands of messages gets empty places, a window at a time, and then the rest', () => {
  const alice = coreMachine()
  const before = 3 * WINDOW_MESSAGES
  for (let i = 0; i < before; i++) {
    alice.send('Bob')
    alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, i)] }))
  }
  const [id = ''] = alice.send('Bob')
  relayed(alice)
  alice.run(returnedBy(BOB.machine, { gaps: [{ ...ackOf(alice.state, 0), next: 0 }] }))
  let has = -1
  for (let round = 0; round < 10 && has < before; round++) {
    const messages = alice.take('relay').flatMap((effect) => effect.messages)
    expect(messages.length).toBeLessThanOrEqual(WINDOW_MESSAGES + 1)
    for (const { seq, isVoid } of messages) {
      if (seq !== has + 1) continue
      expect(isVoid).toBe(seq < before)
      has++
    }
    alice.run(returnedBy(BOB.machine, { acks: [ackOf(alice.state, has)] }))
  }
  expect(alice.row(id)?.state).toBe('accepted')
})

test('a gap whose messages have all failed is answered with empty places, or it would be asked for ever', () => {
  const alice = coreMachine()
  for (let i = 0; i < 2; i++) alice.send('Bob', { ttlMs: 10_000 })
  alice.pass(10_000)
  alice.take('relay')
  alice.run(returnedBy(BOB.machine, { gaps: [{ ...ackOf(alice.state, 0), next: 0 }] }))
  expect(alice.take('relay').flatMap((e) => e.messages.map(({ seq, isVoid }) => [seq, isVoid]))).toEqual([
    [0, true],
    [1, true],
  ])
})

test('a refusal by a machine that the message was not sent to fails nothing', () => {
  const { alice, ids } = three()
  const [id = ''] = ids
  alice.run(returnedBy(CAROL.machine, { receipts: [{ id, state: 'failed', to: ME, reason: 'NOT_FOUND' }] }))
  expect(states(alice, ids)).toEqual(['queued', 'queued', 'queued'])
})

test('a refusal that comes again tells the agent once', () => {
  const { alice, ids } = three()
  const [id = ''] = ids
  const refusal = returnedBy(BOB.machine, { receipts: [{ id, state: 'failed', to: ME, reason: 'FENCED', note: 'no' }] })
  alice.run(refusal, refusal)
  alice.run(refusal)
  expect(alice.inbox()).toHaveLength(1)
})

const strays: [string, Parameters<typeof envelope>[1]][] = [
  ['for another machine', { to: { machine: CAROL.machine, agent: ALICE.name } }],
  ['of another organization', { org: 'other' }],
  ['that claims to come from this machine', { from: { machine: ME, agent: ALICE.name, epoch: 1 } }],
]

test.each(strays)(
  'an envelope %s is dropped without an acknowledgement, and a hundred of them are one line in the log',
  (_, change) => {
    const alice = coreMachine()
    alice.run({ type: 'deliver', envelopes: Array.from({ length: 100 }, (__, i) => envelope(i, change)) })
    expect(alice.inbox()).toEqual([])
    expect(acks(alice)).toEqual([])
    expect(alice.take('log').map((effect) => effect.text)).toEqual([expect.stringContaining('dropped 100 envelopes')])
  },
)

test('a sequence number far ahead of the stream takes no place from those that are in the window', () => {
  const alice = coreMachine()
  const huge = [WINDOW_MESSAGES + 5, 1_000_000, Number.MAX_SAFE_INTEGER]
  alice.run({ type: 'deliver', envelopes: huge.map((seq) => envelope(seq, { id: uuid(seq % 10_000) })) })
  expect(alice.state.heldCount).toBe(0)
  const window = Array.from({ length: HOLD_MESSAGES + 1 }, (_, i) => envelope(i))
  alice.run({ type: 'deliver', envelopes: window.reverse() })
  expect(alice.inbox().length).toBe(HOLD_MESSAGES + 1)
})

test('thousands of streams that begin in the middle hold no more than the bound, and leave nothing behind', () => {
  const alice = coreMachine()
  const envelopes = Array.from({ length: HOLD_ALL_MESSAGES + 50 }, (_, i) =>
    envelope(1, { stream: `stream ${i}`, id: uuid(5000 + i) }),
  )
  alice.run({ type: 'deliver', envelopes })
  expect(alice.state.heldCount).toBe(HOLD_ALL_MESSAGES)
  expect(alice.state.inStreams.size).toBe(HOLD_ALL_MESSAGES)
})

test('a message under the id of one that waits does not take its place', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(0, { body: 'the real one' })] })
  const forged = { from: { machine: CAROL.machine, agent: CAROL.name, epoch: 1 }, stream: 'carol>alice@m-alice' }
  alice.run({ type: 'deliver', envelopes: [envelope(0, { ...forged, body: 'another text' })] })
  alice.run({ type: 'receiver', agent: 'alice', isOn: true })
  expect(alice.take('deliver').map((effect) => effect.n)).toEqual([alice.inbox()[0]?.n])
  expect(alice.inbox().map((row) => row.body)).toEqual(['the real one'])
  expect(alice.take('return').flatMap(({ batch }) => batch.receipts)).toMatchObject([
    { to: CAROL.machine, state: 'failed', reason: 'CONFLICT' },
  ])
})

test('another text at a place that was accepted already changes nothing', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(0), envelope(0, { id: uuid(9), body: 'changed' })] })
  expect(alice.inbox().map((row) => row.body)).toEqual(['body 0'])
  expect(acks(alice)).toEqual([0])
})

test('the time that a message was held for those before it counts against its time to live', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(1, { ttlMs: 10_000 }), envelope(2, { ttlMs: 60_000 })] })
  alice.pass(20_000)
  alice.take('return')
  alice.run({ type: 'deliver', envelopes: [envelope(0)] })
  expect(alice.inbox().map((row) => row.body)).toEqual(['body 0', 'body 2'])
  expect([...(alice.state.agents.get('alice')?.waiting.values() ?? [])].map((entry) => entry.expiresAt)).toEqual([
    alice.now + 3_600_000,
    alice.now + 40_000,
  ])
  expect(alice.take('return').flatMap(({ batch }) => batch.receipts)).toMatchObject([
    { id: uuid(1001), state: 'failed', reason: 'EXPIRED' },
  ])
})

test('a sequence number far ahead makes this machine ask once a turn for what it lacks, and remember nothing', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [700, 701, 702].map((seq) => envelope(seq)) })
  expect(alice.take('return').flatMap(({ batch }) => batch.gaps)).toEqual([
    { stream: 'bob>alice@m-alice', outboxEpoch: 'bobs-epoch', to: BOB.machine, next: 0 },
  ])
  expect([alice.state.inStreams.size, alice.state.heldCount, alice.state.gaps.size]).toEqual([0, 0, 0])
})

test('a full inbox takes nothing more, holds nothing more and asks for nothing', () => {
  const alice = coreMachine()
  for (let n = 0; n < INBOX_MESSAGES; n += 500)
    alice.run({ type: 'deliver', envelopes: Array.from({ length: 500 }, (_, i) => envelope(n + i)) })
  alice.take('return')
  const next = [1, 2, 0].map((i) => envelope(INBOX_MESSAGES + i))
  alice.run({ type: 'deliver', envelopes: next })
  alice.pass(10 * GAP_MS)
  const batches = alice.take('return').map(({ batch }) => batch)
  expect(batches.flatMap((batch) => batch.gaps)).toEqual([])
  expect(batches.flatMap((batch) => batch.acks.map((ack) => ack.upTo))).toEqual([INBOX_MESSAGES - 1])
  alice.run({
    type: 'mark',
    reply: undefined,
    agent: 'alice',
    ids: [uuid(1000), uuid(1001), uuid(1002)],
    state: 'seen',
    known: [],
  })
  alice.run({ type: 'deliver', envelopes: next.reverse() })
  expect(alice.state.agents.get('alice')?.waiting.size).toBe(INBOX_MESSAGES)
})

test('evidence from one agent about a message of another is not taken', () => {
  const alice = coreMachine([ALICE, { name: 'Dave', machine: ME }, BOB])
  alice.run({ type: 'deliver', envelopes: [envelope(0)] })
  const known = alice.store.read.inHeader(uuid(1000), 'dave')
  expect(known).toBeUndefined()
  alice.run({ type: 'mark', reply: undefined, agent: 'dave', ids: [uuid(1000)], state: 'seen', known: [] })
  expect(alice.row(uuid(1000))?.state).toBe('accepted')
  expect(alice.state.owedCount).toBe(0)
})
