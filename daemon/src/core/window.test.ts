import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ackOf, BOB, type CoreMachine, coreMachine, ME, returnedBy } from '../../test/support/core-machine.ts'
import { LINK_BYTES, WINDOW_BYTES, WINDOW_MESSAGES } from './limits.ts'

const BODY = 200 * 1024
const SENDERS = ['Alice', 'Ann', 'Amy', 'Abe', 'Ada']
const crew = () => coreMachine([...SENDERS.map((name) => ({ name, machine: ME })), BOB])
const say = (machine: CoreMachine, from: string, sizeBytes = BODY) =>
  machine.send('Bob', { from: from.toLowerCase(), body: 'x', sizeBytes })
const ackFor = (machine: CoreMachine, from: string, upTo: number) =>
  returnedBy(BOB.machine, { acks: [{ ...ackOf(machine.state, upTo), stream: `${from.toLowerCase()}>bob@m-bob` }] })

test.each([
  ['256 messages', 10, WINDOW_MESSAGES],
  ['4 MiB', BODY, Math.floor(WINDOW_BYTES / BODY)],
])('a stream has at most %s under way, and goes on with each acknowledgement', (_, sizeBytes, most) => {
  const alice = crew()
  for (let i = 0; i < 300; i++) say(alice, 'Alice', sizeBytes)
  expect(alice.take('relay').flatMap((effect) => effect.messages)).toHaveLength(most)
  alice.run(ackFor(alice, 'Alice', 2))
  expect(alice.take('relay').flatMap((effect) => effect.messages.map(({ seq }) => seq))).toEqual([
    most,
    most + 1,
    most + 2,
  ])
})

test('all streams to a machine together have at most 8 MiB under way, and every one gets its share', () => {
  const alice = crew()
  for (const name of SENDERS) for (let i = 0; i < 20; i++) say(alice, name)
  const link = alice.state.links.get(BOB.machine)
  expect(link?.bytes).toBeLessThanOrEqual(LINK_BYTES)
  expect(link?.bytes).toBeGreaterThan(LINK_BYTES - BODY)
  const sent = new Map(SENDERS.map((name) => [name.toLowerCase(), 0]))
  const count = () => {
    for (const effect of alice.take('relay'))
      for (const { fromKey } of effect.messages) sent.set(fromKey, (sent.get(fromKey) ?? 0) + 1)
  }
  count()
  // The first ones filled the link; as they are acknowledged those that waited go first.
  for (let i = 0; i < 20; i++) {
    alice.run(ackFor(alice, 'Alice', i))
    count()
  }
  for (const name of SENDERS) expect([name, sent.get(name.toLowerCase())]).not.toEqual([name, 0])
  for (let round = 0; round < 100; round++)
    for (const name of SENDERS) {
      const upTo = (sent.get(name.toLowerCase()) ?? 0) - 1
      alice.run(ackFor(alice, name, upTo))
      count()
    }
  expect([...sent.values()]).toEqual(SENDERS.map(() => 20))
  expect(link?.bytes).toBe(0)
})

test('streams that wait for room at the same time go on evenly', () => {
  const alice = crew()
  alice.run({ type: 'down' })
  for (const name of SENDERS) for (let i = 0; i < 20; i++) say(alice, name)
  alice.join()
  const sent = new Map<string, number>()
  for (const effect of alice.take('relay'))
    for (const { fromKey } of effect.messages) sent.set(fromKey, (sent.get(fromKey) ?? 0) + 1)
  const counts = SENDERS.map((name) => sent.get(name.toLowerCase()) ?? 0)
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
})

test('a full link to one machine holds up no other', () => {
  const alice = coreMachine()
  for (let i = 0; i < 100; i++) say(alice, 'Alice')
  alice.take('relay')
  alice.send('Carol')
  expect(alice.take('relay').flatMap((effect) => effect.messages.map(({ machine }) => machine))).toEqual(['m-carol'])
})

test('what the cloud stores, what failed and what goes by another path gives its room back', () => {
  const alice = crew()
  const ids = Array.from({ length: 10 }, () => say(alice, 'Alice')).flat()
  const link = alice.state.links.get(BOB.machine)
  expect(link?.bytes).toBe(10 * BODY)
  alice.run({ type: 'relayed', ids, results: ids.slice(0, 4).map((id) => ({ id, state: 'stored' })) })
  expect(link?.bytes).toBe(6 * BODY)
  const reason = { state: 'failed', to: ME, reason: 'FENCED' } as const
  alice.run(returnedBy(BOB.machine, { receipts: [{ id: ids[9] as string, ...reason }] }))
  expect(link?.bytes).toBe(5 * BODY)
  alice.run({ type: 'peer', machine: BOB.machine, isUp: true })
  expect(link?.bytes).toBe(5 * BODY)
  alice.run({ type: 'peer', machine: BOB.machine, isUp: false }, { type: 'down' })
  expect(link?.bytes).toBe(0)
})

test('whatever happens, what is under way is what the books say, within the bounds', () => {
  const name = fc.constantFrom(...SENDERS)
  const action = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('send' as const), name, kib: fc.integer({ min: 1, max: 256 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('ack' as const), name, part: fc.double({ min: 0, max: 1, noNaN: true }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom('up', 'gone', 'down', 'join', 'wait', 'store', 'gap'), name }),
    },
  )
  fc.assert(
    fc.property(fc.array(action, { minLength: 20, maxLength: 150 }), (actions) => {
      const alice = crew()
      for (const act of actions) {
        const key = 'name' in act ? act.name.toLowerCase() : ''
        const stream = alice.state.outStreams.get(`${key}>bob@m-bob`)
        if (act.do === 'send' && 'kib' in act) say(alice, act.name, act.kib * 1024)
        else if (act.do === 'ack' && 'part' in act && stream !== undefined && stream.sent > 0) {
          const last = stream.entries[Math.floor(act.part * (stream.sent - 1))]
          if (last !== undefined) alice.run(ackFor(alice, act.name, last.seq))
        } else if (act.do === 'up') alice.run({ type: 'peer', machine: BOB.machine, isUp: true })
        else if (act.do === 'gone') alice.run({ type: 'peer', machine: BOB.machine, isUp: false })
        else if (act.do === 'down') alice.run({ type: 'down' })
        else if (act.do === 'join') alice.join()
        else if (act.do === 'wait') alice.pass(40_000)
        else if (act.do === 'gap' && stream?.entries[0] !== undefined)
          alice.run(
            returnedBy(BOB.machine, {
              gaps: [{ ...ackOf(alice.state, 0), stream: stream.id, next: stream.entries[0].seq }],
            }),
          )
        else if (act.do === 'store' && stream?.entries[0] !== undefined) {
          const { id } = stream.entries[0]
          alice.run({ type: 'relayed', ids: [id], results: [{ id, state: 'stored' }] })
        }
        let bytes = 0
        for (const each of alice.state.outStreams.values()) {
          const underWay = each.entries.slice(0, each.sent)
          expect(underWay.length).toBeLessThanOrEqual(WINDOW_MESSAGES)
          expect(underWay.reduce((sum, entry) => sum + entry.sizeBytes, 0)).toBe(each.sentBytes)
          expect(each.sentBytes).toBeLessThanOrEqual(WINDOW_BYTES)
          for (const entry of each.entries) if (entry.isOnLink) bytes += entry.sizeBytes
          expect(each.entries.slice(each.sent).some((entry) => entry.isOnLink)).toBe(false)
        }
        expect(alice.state.links.get(BOB.machine)?.bytes ?? 0).toBe(bytes)
        expect(bytes).toBeLessThanOrEqual(LINK_BYTES)
      }
      // With everything acknowledged nothing is left waiting for room.
      alice.join()
      for (let round = 0; round < 200 && alice.state.outCount > 0; round++)
        for (const stream of [...alice.state.outStreams.values()]) {
          const last = stream.entries[stream.sent - 1]
          if (last !== undefined)
            alice.run(returnedBy(BOB.machine, { acks: [{ ...ackOf(alice.state, last.seq), stream: stream.id }] }))
        }
      expect(alice.state.outCount).toBe(0)
      expect(alice.state.links.get(BOB.machine)?.bytes ?? 0).toBe(0)
    }),
    { numRuns: 100 },
  )
})
