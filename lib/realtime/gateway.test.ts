import type { Socket } from 'node:net'
import type { RelayResult, Returned } from '@agent-relay/protocol'
import type { Socket as ClientSocket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { UserActor } from '#lib/services/context.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  connectMachine,
  dial,
  envelopeOf,
  type LinkedMachine,
  linkMachine,
  type MachineClient,
  makeIdentity,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let orgId: string
let count = 0
const open: MachineClient[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  orgId = team.org.id
})
afterAll(() => database.drop())
beforeEach(async () => {
  gateway = await startGateway(database.db, { pingIntervalMs: 200 })
})
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
  await gateway.close()
})

const link = (name = `m${++count}`): Promise<LinkedMachine> => linkMachine(database.db, owner, orgId, name)

async function connect(machine: LinkedMachine): Promise<MachineClient> {
  const client = await connectMachine(gateway.url, machine)
  open.push(client)
  return client
}

async function relay(client: MachineClient, envelopes: unknown[]): Promise<RelayResult[]> {
  const answer = await client.ask('relay', { envelopes } as never)
  if (!answer.ok) throw answer.error
  return (answer.value as { results: RelayResult[] }).results
}

test('two machines talk live, in order, and Postgres is not touched', async () => {
  const [alice, bob] = [await connect(await link()), await connect(await link())]
  const from = { machine: alice.machine, agent: `A${count}`, epoch: await alice.claim(`A${count}`) }
  const to = { machine: bob.machine.id, agent: 'Bob' }
  const sent = Array.from({ length: 1200 }, (_, seq) => envelopeOf(from, to, seq))
  const results = (await Promise.all([0, 1, 2].map((n) => relay(alice, sent.slice(n * 400, n * 400 + 400))))).flat()
  expect(new Set(results.map(({ state }) => state))).toEqual(new Set(['carried']))
  await bob.until(() => bob.delivered.length === sent.length)
  expect(bob.delivered).toEqual(sent)
  expect(await database.db.mailboxMessage.count({ where: { machineId: bob.machine.id } })).toBe(0)
})

test('what is sent to a machine that is away waits for it over a restart of the gateway, and leaves with its acknowledgement', async () => {
  const bobMachine = await link()
  const alice = await connect(await link())
  const from = { machine: alice.machine, agent: `A${count}`, epoch: await alice.claim(`A${count}`) }
  const to = { machine: bobMachine.id, agent: 'Bob' }
  // A NUL and a lone surrogate are JSON and not jsonb.
  const sent = Array.from({ length: 600 }, (_, seq) =>
    envelopeOf(from, to, seq, seq === 1 ? { body: 'a\0b\ud800' } : {}),
  )
  const results = [...(await relay(alice, sent.slice(0, 300))), ...(await relay(alice, sent.slice(300)))]
  expect(new Set(results.map(({ state }) => state))).toEqual(new Set(['stored']))
  expect(new Set((await relay(alice, sent.slice(0, 10))).map(({ state }) => state))).toEqual(new Set(['stored']))
  expect(await database.db.mailboxMessage.count({ where: { machineId: bobMachine.id } })).toBe(600)

  await gateway.close()
  gateway = await startGateway(database.db)
  const bob = await connect(bobMachine)
  await bob.until(() => bob.delivered.length === 600)
  expect(bob.delivered.map(({ id }) => id)).toEqual(sent.map(({ id }) => id))
  expect(bob.delivered[1]?.body).toBe('a\0b\ud800')
  expect(bob.delivered[0]?.ttlMs).toBeLessThan(60_000)
  const ack = { stream: `${from.agent}>Bob`, outboxEpoch: 'e1', upTo: 599, to: alice.machine.id }
  expect(await bob.ask('return', { acks: [ack], gaps: [], receipts: [] })).toEqual({ ok: true, value: { done: true } })
  expect(await database.db.mailboxMessage.count({ where: { machineId: bobMachine.id } })).toBe(0)

  // Alice is away: the acknowledgement waits for her, and is gone once she has read it.
  const returned = new Promise<Returned>((resolve) => {
    const again = dial(gateway.url, alice.machine)
    again.once('returned', resolve)
    open.push({ close: async () => void again.disconnect() } as MachineClient)
  })
  expect(await returned).toEqual({ from: bobMachine.id, batch: { acks: [ack], gaps: [], receipts: [] } })
})

test('a return frame leaves the mailbox when its machine has answered a later ping', async () => {
  const alice = await link()
  const bob = await connect(await link())
  const receipt = { id: crypto.randomUUID(), state: 'injected' as const, to: alice.id }
  await bob.ask('return', { acks: [], gaps: [], receipts: [receipt] })
  expect(await database.db.mailboxMessage.count({ where: { machineId: alice.id } })).toBe(1)
  const back = await connect(alice)
  await expect.poll(() => database.db.mailboxMessage.count({ where: { machineId: alice.id } })).toBe(0)
  expect(back.socket.connected).toBe(true)
})

test('an older epoch is fenced, a foreign name and a foreign machine are refused, and the batch goes on', async () => {
  const [alice, bob] = [await connect(await link()), await connect(await link())]
  const name = `Fenced${count}`
  const first = await alice.claim(name)
  const second = await alice.claim(name)
  expect(second).toBe(first + 1)
  const from = { machine: alice.machine, agent: name, epoch: second }
  const to = { machine: bob.machine.id, agent: 'Bob' }
  const good = envelopeOf(from, to, 0)
  const results = await relay(alice, [
    envelopeOf({ ...from, epoch: first }, to, 0),
    envelopeOf({ ...from, agent: 'Nobody' }, to, 0),
    envelopeOf({ ...from, machine: bob.machine }, to, 0),
    envelopeOf(from, { machine: crypto.randomUUID(), agent: 'Bob' }, 0),
    envelopeOf(from, to, 0, { org: crypto.randomUUID() }),
    envelopeOf(from, to, 0, { body: 'ü'.repeat(140_000) }),
    good,
  ])
  expect(results.map(({ error }) => error?.code)).toEqual([
    'FENCED',
    'FENCED',
    'FORBIDDEN',
    'NOT_FOUND',
    'FORBIDDEN',
    'TOO_LARGE',
    undefined,
  ])
  await bob.until(() => bob.delivered.length > 0)
  expect(bob.delivered).toEqual([good])
})

test('a machine of another organization is unknown here', async () => {
  const other = await foundTeam(database.db, 'fred', 'Foreign')
  const foreign = await linkMachine(database.db, other.owner, other.org.id, 'theirs')
  const alice = await connect(await link())
  const name = `Near${count}`
  const from = { machine: alice.machine, agent: name, epoch: await alice.claim(name) }
  const [result] = await relay(alice, [envelopeOf(from, { machine: foreign.id, agent: 'Bob' }, 0)])
  expect(result).toMatchObject({ state: 'refused', error: { code: 'NOT_FOUND' } })
  expect(alice.roster.machines.map(({ id }) => id)).not.toContain(foreign.id)
  await alice.ask('return', {
    acks: [],
    gaps: [],
    receipts: [{ id: crypto.randomUUID(), state: 'seen', to: foreign.id }],
  })
  expect(await database.db.mailboxMessage.count({ where: { machineId: foreign.id } })).toBe(0)
})

test('a mistyped key, an unknown one and another identity are each told what they are', async () => {
  const machine = await link()
  await connect(machine)
  const last = machine.key.at(-1) === 'a' ? 'b' : 'a'
  const typo = connectMachine(gateway.url, { ...machine, key: machine.key.slice(0, -1) + last })
  await expect(typo).rejects.toMatchObject({ code: 'KEY_INVALID' })
  const thief = connectMachine(gateway.url, machine, { identity: makeIdentity() })
  await expect(thief).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' })
  const forged = { publicKey: machine.identity.publicKey, privateKey: makeIdentity().privateKey }
  await expect(connectMachine(gateway.url, machine, { identity: forged })).rejects.toMatchObject({
    code: 'IDENTITY_MISMATCH',
  })
  await expect(connectMachine(gateway.url, machine, { origin: 'https://evil.example' })).rejects.toThrow()
})

test('a revoked machine hears it at once, and its key is dead', async () => {
  const machine = await link()
  const client = await connect(machine)
  const goodbye = new Promise((resolve) => client.socket.once('goodbye', resolve))
  await revokeMachine(contextOf(database.db, owner), { org: orgId, machineId: machine.id })
  expect(await goodbye).toMatchObject({ code: 'KEY_REVOKED' })
  await expect(connectMachine(gateway.url, machine)).rejects.toMatchObject({ code: 'KEY_REVOKED' })
})

test('a socket that does not prove itself is served nothing, and ended', async () => {
  const machine = await link()
  const socket = dial(gateway.url, machine, { prove: null })
  let answers = 0
  socket.once('challenge', () => socket.emit('roster.get', {}, () => answers++))
  const goodbye = await new Promise((resolve) => socket.once('goodbye', resolve))
  expect(goodbye).toMatchObject({ code: 'TIMEOUT' })
  expect(answers).toBe(0)
  expect(await database.db.machineSession.count({ where: { machineId: machine.id } })).toBe(0)
})

test('a second connection of a machine takes the place of the first', async () => {
  const machine = await link()
  const first = await connect(machine)
  const goodbye = new Promise((resolve) => first.socket.once('goodbye', resolve))
  const second = await connect(machine)
  expect(await goodbye).toMatchObject({ code: 'CONFLICT' })
  const name = `Twice${count}`
  const epoch = await second.claim(name)
  const sender = { machine, agent: name, epoch }
  await relay(second, [envelopeOf(sender, { machine: machine.id, agent: name }, 0)])
  await second.until(() => second.delivered.length === 1)
  const open = await database.db.machineSession.count({ where: { machineId: machine.id, endedAt: null } })
  expect(open).toBe(1)
})

test('machines follow the roster by deltas of exactly the version before', async () => {
  const alice = await connect(await link())
  const bobMachine = await link()
  const bob = await connect(bobMachine)
  const name = `Roster${count}`
  await bob.claim(name)
  const shown = () => alice.roster.agents.find((agent) => agent.name === name)
  await alice.until(() => shown()?.status === 'online')
  await bob.ask('agents.status', { changes: [{ name, epoch: 1, status: 'working' }] })
  await alice.until(() => shown()?.status === 'working')
  await bob.close()
  await alice.until(() => shown()?.status === 'offline')
  const machine = alice.roster.machines.find(({ id }) => id === bobMachine.id)
  expect(machine?.isOnline).toBe(false)
  const whole = await alice.ask('roster.get', {})
  if (!whole.ok) throw whole.error
  expect(alice.read('roster', whole.value)).toMatchObject({ version: alice.roster.version })
})

test('malformed frames are answered and do not end the socket', async () => {
  const alice = await connect(await link())
  for (const [event, frame] of [
    ['relay', null],
    ['relay', { envelopes: [] }],
    ['relay', { envelopes: [{ v: 1 }] }],
    ['agents.sync', { agents: 'all' }],
    ['return', 'x'],
    ['traces', { traces: [{}] }],
    ['heartbeat', undefined],
  ] as const)
    expect(await alice.ask(event, frame as never)).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } })
  expect(await alice.ask('heartbeat', { at: 5 })).toMatchObject({ ok: true, value: { at: 5 } })
})

test('fuzzing found: a frame without an argument, or with too many, was never answered', async () => {
  const alice = await connect(await link())
  const ask = (...args: unknown[]) =>
    new Promise((resolve) => (alice.socket as ClientSocket).emit('heartbeat', ...args, resolve))
  expect(await ask()).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } })
  expect(await ask({ at: 1 }, 'more', null)).toMatchObject({ ok: true, value: { at: 1 } })
})

test('fuzzing found: an event whose name is a number ended the process', async () => {
  const alice = await connect(await link())
  const answer = new Promise((resolve) => (alice.socket as ClientSocket).emit(5 as never, {}, resolve))
  expect(await answer).toMatchObject({ ok: false, error: { code: 'UNKNOWN_FRAME' } })
})

test('fuzzing found: a NUL in the name to release, and in a channel, was a failure of ours', async () => {
  const alice = await connect(await link())
  await alice.claim(`Nul${count}`)
  for (const answer of [
    await alice.ask('agents.release', { name: 'A\0' }),
    await alice.ask('channels.join', { agent: `Nul${count}`, channel: 'a\0b' }),
    await alice.ask('channels.leave', { agent: `Nul${count}`, channel: 'a\0b' }),
    await alice.ask('channels.history', { channel: 'a\0b' }),
  ])
    expect(answer).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } })
})

test('an unknown event is answered by what is unknown, and passed over when nobody asked', async () => {
  const alice = await connect(await link())
  ;(alice.socket as ClientSocket).emit('teleport', {})
  const answer = new Promise((resolve) => (alice.socket as ClientSocket).emit('teleport', {}, resolve))
  expect(await answer).toMatchObject({
    ok: false,
    error: { code: 'UNKNOWN_FRAME', message: expect.stringContaining('"teleport"') },
  })
})

test('what comes for a machine that does not keep up waits in its mailbox, and follows when it does', async () => {
  const [alice, bob] = [await connect(await link()), await connect(await link())]
  const name = `Fast${count}`
  const from = { machine: alice.machine, agent: name, epoch: await alice.claim(name) }
  const tcp = (bob.socket.io.engine.transport as unknown as { ws: { _socket: Socket } }).ws._socket
  tcp.pause()
  const sent = Array.from({ length: 150 }, (_, seq) =>
    envelopeOf(from, { machine: bob.machine.id, agent: 'Bob' }, seq, { body: 'x'.repeat(200_000) }),
  )
  const states: string[] = []
  for (let i = 0; i < sent.length; i += 10)
    states.push(...(await relay(alice, sent.slice(i, i + 10))).map(({ state }) => state))
  expect(states.at(0)).toBe('carried')
  expect(states.at(-1)).toBe('stored')
  tcp.resume()
  await bob.until(() => bob.delivered.length === sent.length)
  expect(bob.delivered.map(({ seq }) => seq)).toEqual(sent.map(({ seq }) => seq))
})

test('a full mailbox refuses what is over, by name, and keeps what it has', async () => {
  const bobMachine = await link()
  const alice = await connect(await link())
  const name = `Full${count}`
  const from = { machine: alice.machine, agent: name, epoch: await alice.claim(name) }
  const to = { machine: bobMachine.id, agent: 'Bob' }
  const sent = Array.from({ length: 5010 }, (_, seq) => envelopeOf(from, to, seq))
  const results: RelayResult[] = []
  for (let i = 0; i < sent.length; i += 501) results.push(...(await relay(alice, sent.slice(i, i + 501))))
  expect(results.filter(({ state }) => state === 'stored')).toHaveLength(5000)
  expect(results.slice(5000).map(({ error }) => error?.code)).toEqual(Array(10).fill('MAILBOX_FULL'))
  const bob = await connect(bobMachine)
  await bob.until(() => bob.delivered.length === 5000)
  expect(bob.delivered.map(({ seq }) => seq)).toEqual(sent.slice(0, 5000).map(({ seq }) => seq))
})

test('traces only rise, and nobody writes those of another machine', async () => {
  const [alice, bob] = [await connect(await link()), await connect(await link())]
  const report = {
    id: crypto.randomUUID(),
    from: 'Alice',
    to: 'Bob',
    toMachine: bob.machine.id,
    sizeBytes: 12,
    ts: Date.now(),
    state: 'accepted' as const,
    path: 'relay' as const,
    tookMs: 4.5,
    hops: [{ kind: 'queued', where: 'm\0', atMs: 0 }],
  }
  expect(await alice.ask('traces', { traces: [report] })).toMatchObject({ ok: true })
  await alice.ask('traces', { traces: [{ ...report, state: 'queued' }] })
  await bob.ask('traces', { traces: [{ ...report, state: 'failed', reason: 'forged' }] })
  const row = () =>
    database.db.messageTrace.findUniqueOrThrow({ where: { orgId_messageId: { orgId, messageId: report.id } } })
  expect(await row()).toMatchObject({ state: 'accepted', fromMachineId: alice.machine.id, reason: null, tookMs: 4.5 })
  await alice.ask('traces', { traces: [{ ...report, state: 'injected', tookMs: null }] })
  expect(await row()).toMatchObject({ state: 'injected', tookMs: 4.5, path: 'relay' })
})
