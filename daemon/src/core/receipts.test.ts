import type { Receipt } from '@agent-relay/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  BOB,
  CAROL,
  type CoreMachine,
  coreMachine,
  envelope,
  ME,
  returnedBy,
  rosterWith,
  uuid,
} from '../../test/support/core-machine.ts'
import { HEARD_MS, RECEIPT_FIRST_MS, RECEIPT_MAX_MS, RECEIPT_TRIES, RECEIPTS } from './limits.ts'

const marked = (alice: CoreMachine, id: string, state: 'injected' | 'seen' = 'injected') => {
  const known = alice.store.read.inHeader(id, 'alice')
  alice.run({ type: 'mark', reply: undefined, agent: 'alice', ids: [id], state, known: known ? [known] : [] })
}
const said = (alice: CoreMachine) => [
  ...alice.take('return').flatMap(({ batch }) => batch.receipts.map(({ id, state, to }) => ({ id, state, to }))),
  ...alice.take('directReturn').flatMap(({ batch }) => batch.receipts.map(({ id, state, to }) => ({ id, state, to }))),
]
const receipt = (n: number, state: Receipt['state'] = 'injected') => ({ id: uuid(1000 + n), state, to: BOB.machine })
const heardBy = (from: string, n: number, state: Receipt['state'] = 'injected') =>
  returnedBy(from, { heard: [{ id: uuid(1000 + n), state, to: ME }] })

/** Alice has one message of Bob's, whose receipt was said once. */
function owing(n = 1): CoreMachine {
  const alice = coreMachine()
  for (let i = 0; i < n; i++) alice.run({ type: 'deliver', envelopes: [envelope(i)] })
  for (let i = 0; i < n; i++) marked(alice, uuid(1000 + i))
  said(alice)
  return alice
}

test('a receipt is said again until the sender has answered, then never', () => {
  const alice = owing()
  alice.pass(RECEIPT_FIRST_MS)
  expect(said(alice)).toEqual([receipt(0)])
  alice.run(heardBy(BOB.machine, 0))
  alice.pass(24 * 3_600_000)
  expect(said(alice)).toEqual([])
  alice.flush()
  alice.restart()
  alice.join()
  expect(said(alice)).toEqual([])
})

test('a receipt whose socket died is said again on the next one', () => {
  const alice = owing()
  alice.run({ type: 'down' })
  alice.join()
  expect(said(alice)).toEqual([receipt(0)])
})

test('a receipt survives the daemon: at the next start it is said again', () => {
  const alice = owing()
  alice.flush()
  alice.restart()
  alice.pass(3_600_000)
  expect(said(alice)).toEqual([])
  alice.join()
  expect(said(alice)).toEqual([receipt(0)])
})

test('a receipt that waits goes by the direct link that comes up', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(0)] }, { type: 'down' })
  marked(alice, uuid(1000))
  expect(said(alice)).toEqual([])
  alice.run({ type: 'peer', machine: BOB.machine, isUp: true })
  expect(alice.take('directReturn').flatMap(({ batch }) => batch.receipts.map(({ id }) => id))).toEqual([uuid(1000)])
})

test('of one message only the latest state is said again, and an answer to an earlier one does not end it', () => {
  const alice = owing()
  marked(alice, uuid(1000), 'seen')
  expect(said(alice)).toEqual([receipt(0, 'seen')])
  alice.run(heardBy(BOB.machine, 0, 'injected'))
  alice.pass(2 * RECEIPT_FIRST_MS)
  expect(said(alice)[0]).toEqual(receipt(0, 'seen'))
  alice.run(heardBy(BOB.machine, 0, 'seen'))
  alice.pass(3_600_000)
  expect(said(alice)).toEqual([])
})

test('evidence that says less than what is known already is not said', () => {
  const alice = owing()
  marked(alice, uuid(1000), 'seen')
  said(alice)
  marked(alice, uuid(1000), 'injected')
  expect(said(alice)).toEqual([])
})

test('only the machine that sent the message can end what is owed for it', () => {
  const alice = owing()
  alice.run(heardBy(CAROL.machine, 0))
  alice.pass(RECEIPT_FIRST_MS)
  expect(said(alice)).toEqual([receipt(0)])
})

test('a sender that is there and never answers, as version 1 does, hears a receipt a bounded number of times', () => {
  const alice = owing()
  alice.pass(RECEIPT_TRIES * 2 * RECEIPT_MAX_MS)
  expect(said(alice)).toHaveLength(RECEIPT_TRIES)
  alice.flush()
  alice.restart()
  alice.join()
  expect(said(alice)).toEqual([])
})

test('reconnecting often does not use up the rounds', () => {
  const alice = owing()
  for (let i = 0; i < 3 * RECEIPT_TRIES; i++) {
    alice.run({ type: 'down' })
    alice.join()
  }
  said(alice)
  alice.pass(2 * RECEIPT_FIRST_MS)
  expect(said(alice)).not.toEqual([])
})

test('a sender that is away hears it once, which the cloud keeps, and again when it is back', () => {
  const alice = coreMachine()
  const agents = [{ name: 'Alice', machine: ME }, BOB]
  alice.run({ type: 'roster', roster: rosterWith(agents, [BOB.machine]) })
  alice.run({ type: 'deliver', envelopes: [envelope(0)] })
  marked(alice, uuid(1000))
  alice.pass(24 * 3_600_000)
  expect(said(alice)).toEqual([receipt(0)])
  alice.run({ type: 'roster', roster: rosterWith(agents) })
  expect(said(alice)).toEqual([receipt(0)])
})

test('a failure in the inbox is on disk before its sender hears of it, and is owed like any receipt', () => {
  const alice = coreMachine()
  alice.run({ type: 'deliver', envelopes: [envelope(0, { ttlMs: 60_000 })] })
  alice.pass(60_000)
  expect(said(alice)).toEqual([receipt(0, 'failed')])
  alice.restart()
  alice.join()
  expect(alice.take('return').flatMap(({ batch }) => batch.receipts)).toMatchObject([
    { id: uuid(1000), state: 'failed', reason: 'EXPIRED', note: expect.stringContaining('time to live') },
  ])
})

test('what memory has no room for is said once and owed again after the next start', () => {
  const alice = coreMachine()
  alice.state.owedCount = RECEIPTS
  alice.run({ type: 'deliver', envelopes: [envelope(0)] })
  marked(alice, uuid(1000))
  expect(said(alice)).toEqual([receipt(0)])
  alice.pass(3_600_000)
  expect(said(alice)).toEqual([])
  alice.flush()
  alice.restart()
  alice.join()
  expect(said(alice)).toEqual([receipt(0)])
})

/** Alice sent one message to Bob, which his machine accepted. */
function accepted(): { alice: CoreMachine; id: string } {
  const alice = coreMachine()
  const [id = ''] = alice.send('Bob')
  const upTo = { stream: 'alice>bob@m-bob', outboxEpoch: alice.state.outboxEpoch, upTo: 0, to: ME }
  alice.run(returnedBy(BOB.machine, { acks: [upTo] }))
  return { alice, id }
}
const answers = (alice: CoreMachine) => alice.take('return').flatMap(({ batch }) => batch.heard ?? [])

test('a receipt is answered only when it is on disk, soon and with others', () => {
  const { alice, id } = accepted()
  alice.run(returnedBy(BOB.machine, { receipts: [{ id, state: 'injected', to: ME }] }))
  alice.run(returnedBy(BOB.machine, { receipts: [{ id, state: 'seen', to: ME }] }))
  expect(answers(alice)).toEqual([])
  alice.pass(HEARD_MS)
  expect(answers(alice)).toEqual([{ id, state: 'seen', to: BOB.machine }])
  // The answer went out, so a crash now must not have forgotten it.
  alice.restart()
  expect(alice.row(id)?.state).toBe('seen')
})

test('turns that commit meanwhile answer nothing on their own: all of a moment goes in one frame', () => {
  const alice = coreMachine()
  const ids = [...alice.send('Bob'), ...alice.send('Bob')]
  const upTo = { stream: 'alice>bob@m-bob', outboxEpoch: alice.state.outboxEpoch, upTo: 1, to: ME }
  alice.run(returnedBy(BOB.machine, { acks: [upTo] }))
  for (const id of ids) {
    alice.run(returnedBy(BOB.machine, { receipts: [{ id, state: 'injected', to: ME }] }))
    alice.send('Carol')
  }
  expect(answers(alice)).toEqual([])
  alice.pass(HEARD_MS)
  const frames = alice.take('return').map(({ batch }) => batch.heard?.map(({ id }) => id))
  expect(frames).toEqual([ids])
})

test('a repeated receipt is answered again and changes nothing', () => {
  const { alice, id } = accepted()
  for (let i = 0; i < 3; i++) {
    alice.run(returnedBy(BOB.machine, { receipts: [{ id, state: 'seen', to: ME }] }))
    alice.pass(HEARD_MS)
    expect(answers(alice)).toHaveLength(1)
  }
  expect(alice.row(id)?.state).toBe('seen')
})

test('a receipt of a message that is forgotten here is answered too, or it would never end', () => {
  const alice = coreMachine()
  alice.run(returnedBy(BOB.machine, { receipts: [{ id: uuid(77), state: 'seen', to: ME }] }))
  alice.pass(HEARD_MS)
  expect(answers(alice)).toEqual([{ id: uuid(77), state: 'seen', to: BOB.machine }])
})

test('evidence in the same frame as the acknowledgement that it follows is kept', () => {
  const alice = coreMachine()
  const [id = ''] = alice.send('Bob')
  const ack = { stream: 'alice>bob@m-bob', outboxEpoch: alice.state.outboxEpoch, upTo: 0, to: ME }
  alice.run(returnedBy(BOB.machine, { acks: [ack], receipts: [{ id, state: 'injected', to: ME }] }))
  expect(alice.row(id)?.state).toBe('injected')
})

test('evidence that overtakes its acknowledgement stays unanswered, and is kept when it comes again', () => {
  const alice = coreMachine()
  const [id = ''] = alice.send('Bob')
  const injected = returnedBy(BOB.machine, { receipts: [{ id, state: 'injected', to: ME }] })
  alice.run(injected)
  alice.pass(HEARD_MS)
  expect(answers(alice)).toEqual([])
  const ack = { stream: 'alice>bob@m-bob', outboxEpoch: alice.state.outboxEpoch, upTo: 0, to: ME }
  alice.run(returnedBy(BOB.machine, { acks: [ack] }))
  alice.run(injected)
  expect(alice.row(id)?.state).toBe('injected')
})

test("another machine's word about a message changes nothing and tells nobody", () => {
  const { alice, id } = accepted()
  const header = alice.store.read.outHeader(id)
  for (const state of ['injected', 'seen', 'failed'] as const)
    alice.run(returnedBy(CAROL.machine, { receipts: [{ id, state, to: ME }] }, header ? [header] : []))
  expect(alice.row(id)?.state).toBe('accepted')
  expect(alice.inbox()).toEqual([])
})

test('a failure of an accepted message tells its agent once, however often and by however many paths it comes', () => {
  const { alice, id } = accepted()
  alice.flush()
  const failed = () => {
    const header = alice.store.read.outHeader(id)
    return returnedBy(
      BOB.machine,
      { receipts: [{ id, state: 'failed', to: ME, reason: 'EXPIRED', note: 'nobody took it' }] },
      header ? [header] : [],
    )
  }
  // Two frames of one tick were read before either was written.
  alice.run(failed(), failed())
  alice.run(failed())
  alice.restart()
  alice.join()
  alice.run(failed())
  expect(alice.row(id)).toMatchObject({ state: 'failed', reason: 'EXPIRED', note: 'nobody took it' })
  expect(alice.inbox().map((row) => row.body)).toEqual([
    `Message ${id} to Bob was not delivered: nobody took it. To send it again: agent-relay dead retry ${id}`,
  ])
})

test('whatever is lost on the way, in the end each state is known to the sender and nothing is owed', () => {
  const action = fc.constantFrom('mark', 'see', 'say', 'answer', 'lose', 'crash', 'reconnect', 'wait')
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const alice = coreMachine()
      const known = new Map<string, string>()
      let next = 0
      const expected = new Map<string, string>()
      let frames: Receipt[] = []
      const collect = () => {
        frames.push(...alice.take('return').flatMap(({ batch }) => batch.receipts))
      }
      const answer = () => {
        collect()
        const heard = frames.map(({ id, state }) => ({ id, state, to: ME }))
        for (const { id, state } of frames) if (known.get(id) !== 'seen') known.set(id, state)
        frames = []
        alice.run(returnedBy(BOB.machine, { heard }))
      }
      for (const act of actions) {
        if (act === 'mark') {
          alice.run({ type: 'deliver', envelopes: [envelope(next)] })
          marked(alice, uuid(1000 + next++))
          alice.flush()
          expected.set(uuid(999 + next), 'injected')
        } else if (act === 'see' && next > 0) {
          marked(alice, uuid(999 + next), 'seen')
          alice.flush()
          expected.set(uuid(999 + next), 'seen')
        } else if (act === 'say') collect()
        else if (act === 'answer') answer()
        else if (act === 'lose') {
          collect()
          frames = []
        } else if (act === 'crash') {
          alice.restart()
          alice.join()
        } else if (act === 'reconnect') {
          alice.run({ type: 'down' })
          alice.join()
        } else alice.pass(1_000)
      }
      for (let i = 0; i < 3; i++) {
        alice.pass(10 * RECEIPT_FIRST_MS)
        answer()
      }
      expect(known).toEqual(expected)
      expect(alice.state.owedCount).toBe(0)
      alice.flush()
      alice.restart()
      expect(alice.state.owedCount).toBe(0)
    }),
    { numRuns: 200 },
  )
})

test('a failure that comes twice in one turn, for a message that is not acknowledged yet, is told once', () => {
  const alice = coreMachine()
  const [id = ''] = alice.send('Bob')
  const failed = { receipts: [{ id, state: 'failed' as const, to: ME, reason: 'EXPIRED' as const, note: 'not taken' }] }
  const known = alice.store.read.outHeader(id)
  const frame = returnedBy(BOB.machine, failed, known ? [known] : [])
  alice.run(frame, frame)
  expect(alice.inbox().filter((row) => row.body.includes(id))).toHaveLength(1)
})
