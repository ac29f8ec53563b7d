import { expect, test } from 'vitest'
import { ALICE, BOB, coreMachine, envelope, ME, returnedBy, uuid } from '../../test/support/core-machine.ts'
import type { Answer, CoreEvent, DeadLetter } from './turn.ts'

type Settle = Extract<CoreEvent, { type: 'retry' | 'drop' }>

/** Alice's message to Bob, which his machine refused. */
function failed() {
  const alice = coreMachine()
  const [id = ''] = alice.send('Bob', { thread: 'plans', ttlMs: 60_000, body: 'the text' })
  alice.run(returnedBy(BOB.machine, { receipts: [{ id, state: 'failed', to: ME, reason: 'FENCED', note: 'no' }] }))
  const row = alice.row(id)
  const letter: DeadLetter = {
    n: row?.n ?? 0,
    id,
    from: 'Alice',
    to: 'Bob',
    body: 'the text',
    sizeBytes: 8,
    thread: 'plans',
    replyTo: null,
    ttlMs: 60_000,
    dead: 'open',
    retriedAs: null,
  }
  const answers = (type: Settle['type'], of: DeadLetter | undefined = letter): Answer => {
    const turn = alice.run({ type, reply: undefined, id, letter: of })
    const answer = turn.effects.find((effect) => effect.type === 'answer')
    if (answer?.type !== 'answer') throw new Error('nothing was answered')
    return answer.answer
  }
  return { alice, id, letter, answers }
}

const dead = (answer: Answer): string => (answer.type === 'retried' ? answer.as : JSON.stringify(answer))

test('a retried letter is a new message with the same text, thread and time to live, that refers to the old one', () => {
  const { alice, id, letter, answers } = failed()
  alice.take('relay')
  const turn = alice.run({ type: 'retry', reply: undefined, id, letter })
  const ops = turn.ops.flatMap((op) => (op.op === 'message' ? [op.row] : []))
  expect(ops).toMatchObject([
    { toAgent: 'Bob', body: 'the text', thread: 'plans', retryOf: id, expiresAt: alice.now + 60_000 },
  ])
  expect(ops[0]?.id).not.toBe(id)
  expect(turn.ops).toContainEqual({ op: 'dead', n: letter.n, state: 'retried', as: ops[0]?.id })
  expect(turn.mustCommit).toBe(true)
  expect(alice.take('relay').flatMap((effect) => effect.messages.map((message) => message.id))).toEqual([ops[0]?.id])
  expect(answers('retry')).toEqual({ type: 'retried', id, as: ops[0]?.id })
})

test('retried twice, also before the first is on disk, it is sent once', () => {
  const { alice, letter, answers } = failed()
  const first = dead(answers('retry'))
  expect(dead(answers('retry'))).toBe(first)
  expect(alice.state.outCount).toBe(1)
  // After a restart only the disk knows.
  alice.restart()
  alice.join()
  expect(dead(answers('retry', { ...letter, dead: 'retried', retriedAs: first }))).toBe(first)
  expect(alice.state.outCount).toBe(1)
})

test('dropped twice, it is dropped', () => {
  const { id, letter, answers } = failed()
  expect(answers('drop')).toEqual({ type: 'dropped', id })
  expect(answers('drop')).toEqual({ type: 'dropped', id })
  expect(answers('drop', { ...letter, dead: 'dropped' })).toEqual({ type: 'dropped', id })
})

test.each([
  ['what was dropped cannot be retried', 'drop', 'retry', 'CONFLICT'],
  ['what was retried cannot be dropped', 'retry', 'drop', 'CONFLICT'],
] as const)('%s', (_, first, second, code) => {
  const { answers } = failed()
  answers(first)
  expect(answers(second)).toMatchObject({ type: 'error', error: { code } })
})

test.each(['retry', 'drop'] as const)('to %s what is no dead letter is an error that says where they are', (type) => {
  const { alice, id } = failed()
  const { effects } = alice.run({ type, reply: undefined, id, letter: undefined })
  expect(effects).toMatchObject([
    { answer: { type: 'error', error: { code: 'NOT_FOUND', message: expect.stringContaining('agent-relay dead') } } },
  ])
})

test('a letter whose recipient is gone stays open when it is retried', () => {
  const { alice, letter, answers } = failed()
  expect(answers('retry', { ...letter, to: 'Nobody' })).toMatchObject({
    type: 'error',
    error: { code: 'UNKNOWN_ADDRESS' },
  })
  expect(alice.state.settledLately.size).toBe(0)
})

test('a message that an adapter gives up fails with its reason at the sender, wherever that is', () => {
  const alice = coreMachine([ALICE, { name: 'Dave', machine: ME }, BOB])
  alice.run({ type: 'deliver', envelopes: [envelope(0), envelope(1)] })
  const [local = ''] = alice.send('Alice', { from: 'dave' })
  const note = 'the terminal of Alice did not take it in 12 tries'
  const turn = alice.run({ type: 'giveUp', reply: undefined, agent: 'alice', ids: [uuid(1000), local, uuid(9)], note })
  expect(turn.mustCommit).toBe(true)
  expect(turn.effects).toContainEqual({ type: 'answer', reply: undefined, answer: { type: 'marked', marked: 2 } })
  expect(alice.take('return').flatMap(({ batch }) => batch.receipts)).toEqual([
    { id: uuid(1000), state: 'failed', to: BOB.machine, reason: 'UNAVAILABLE', note },
  ])
  expect(alice.row(uuid(1000))).toMatchObject({ state: 'failed', reason: 'UNAVAILABLE', note })
  expect(alice.inbox('dave').map((row) => row.body)).toEqual([
    `Message ${local} to Alice was not delivered: ${note}. To send it again: agent-relay dead retry ${local}`,
  ])
  expect([...(alice.state.agents.get('alice')?.waiting.keys() ?? [])]).toEqual([uuid(1001)])
})

test('a message that is injected already cannot be given up', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(0)] })
  alice.run({ type: 'mark', reply: undefined, agent: 'alice', ids: [uuid(1000)], state: 'injected', known: [] })
  alice.run({ type: 'giveUp', reply: undefined, agent: 'alice', ids: [uuid(1000)], note: 'too late' })
  expect(alice.row(uuid(1000))?.state).toBe('injected')
})

test('giving up makes room for the next message to be pushed', () => {
  const alice = coreMachine()
  alice.run({ type: 'receiver', agent: 'alice', isOn: true })
  alice.run({
    type: 'deliver',
    envelopes: [envelope(0, { body: 'x'.repeat(900_000) }), envelope(1, { body: 'y'.repeat(250_000) })],
  })
  expect(alice.take('deliver')).toHaveLength(1)
  alice.run({ type: 'giveUp', reply: undefined, agent: 'alice', ids: [uuid(1000)], note: 'no' })
  expect(alice.take('deliver').map((effect) => effect.id)).toEqual([uuid(1001)])
})
