/** Signals between machines, what they say of their links, and the call back to where a machine comes from. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { LinkReport, ReachAnswer } from '@agent-relay/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { UserActor } from '#lib/services/context.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { selfSigned } from '#lib/testing/certificate.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  connectMachine,
  type Identity,
  type LinkedMachine,
  linkMachine,
  type MachineClient,
  makeIdentity,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'
import { listen } from './bus.ts'

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let orgId: string
let foreign: LinkedMachine
let count = 0
const open: { close(): unknown }[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  orgId = team.org.id
  const other = await foundTeam(database.db, 'fred', 'Foreign')
  foreign = await linkMachine(database.db, other.owner, other.org.id, 'theirs')
})
afterAll(() => database.drop())
beforeEach(async () => {
  gateway = await startGateway(database.db)
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
  await gateway.close()
})

const link = (name = `m${++count}`): Promise<LinkedMachine> => linkMachine(database.db, owner, orgId, name)
async function connect(machine: LinkedMachine, options?: Parameters<typeof connectMachine>[2]): Promise<MachineClient> {
  const client = await connectMachine(gateway.url, machine, options)
  open.push(client)
  return client
}
const signalTo = (to: string, length = 60) => ({
  to,
  id: crypto.randomUUID(),
  sealed: { by: 'a'.repeat(11), to: 'b'.repeat(11), data: 'x'.repeat(length) },
})

test('a signal reaches the other machine as it was said, with who said it', async () => {
  const [alice, bob] = [await connect(await link()), await connect(await link())]
  const signal = signalTo(bob.machine.id)
  expect(await alice.ask('signal', signal)).toEqual({ ok: true, value: { done: true } })
  await bob.until(() => bob.signals.length === 1)
  expect(bob.signals).toEqual([{ from: alice.machine.id, id: signal.id, sealed: signal.sealed }])
  expect(alice.signals).toEqual([])
})

test('a signal to a machine that was linked a moment ago finds it', async () => {
  const alice = await connect(await link())
  const bob = await connect(await link())
  expect(await alice.ask('signal', signalTo(bob.machine.id))).toMatchObject({ ok: true })
})

test('a foreign machine is as unknown as one that does not exist, connected or not; an own one that is away is named', async () => {
  const alice = await connect(await link())
  const theirs = await connect(foreign)
  const said = async (to: string) => {
    const answer = await alice.ask('signal', signalTo(to))
    if (answer.ok) throw new Error('it was carried')
    return { ...answer.error, message: answer.error.message.replace(to, 'ID') }
  }
  const unknown = await said(crypto.randomUUID())
  expect(unknown.code).toBe('NOT_FOUND')
  expect(await said(foreign.id)).toEqual(unknown)
  expect(await said(foreign.orgId)).toEqual(unknown)
  expect(await said('no id at all')).toEqual(unknown)
  const away = await link('asleep')
  expect(await said(away.id)).toMatchObject({ code: 'NOT_CONNECTED', message: expect.stringContaining('asleep') })
  expect(await said(orgId)).toMatchObject({ code: 'NOT_CONNECTED' })
  const old = await connect(await link(), { v: 2 })
  expect(await said(old.machine.id)).toMatchObject({ code: 'NOT_CONNECTED' })
  await theirs.ask('heartbeat', { at: 1 })
  expect(theirs.signals).toEqual([])
})

test('a signal that is too long, and a flood of them, are refused', async () => {
  const [alice, bob] = [await connect(await link()), await connect(await link())]
  const ask = (length: number) => alice.ask('signal', signalTo(bob.machine.id, length))
  expect(await ask(16 * 1024)).toMatchObject({ ok: true })
  expect(await ask(16 * 1024 + 1)).toMatchObject({ ok: false, error: { code: 'TOO_LARGE' } })
  const answers = await Promise.all(Array.from({ length: 700 }, () => ask(60)))
  const refused = answers.filter((answer) => !answer.ok)
  expect(refused.length).toBeGreaterThan(100)
  expect(refused[0]).toMatchObject({ error: { code: 'RATE_LIMITED' } })
})

const report = (machine: string, rest: Partial<LinkReport> = {}): LinkReport => ({
  ...{ machine, state: 'direct', kind: 'lan', latencyMs: 2.5, why: 'the nearest that answered', forMs: 5_000 },
  ...rest,
})
const rowsOf = (machineId: string) => database.db.machineLink.findMany({ where: { machineId } })

test('links are kept as they were said last, and the dashboard is told; the whole list drops the others', async () => {
  const [alice, bob, carol] = [await connect(await link()), await connect(await link()), await connect(await link())]
  const hints: string[] = []
  const unlisten = listen('hint', ({ kinds }) => void hints.push(...kinds))
  const ids = [bob.machine.id, carol.machine.id] as const
  const say = async (links: LinkReport[], isWhole = false) =>
    expect(await alice.ask('links', { links, isWhole })).toEqual({ ok: true, value: { done: true } })
  await say([report(ids[0]), report(ids[1], { state: 'probing', kind: null, latencyMs: null, why: 'a\0b' })], true)
  expect(hints).toContain('network')
  const byPeer = async () => new Map((await rowsOf(alice.machine.id)).map((row) => [row.peerId, row]))
  expect((await byPeer()).get(ids[0])).toMatchObject({ orgId, state: 'direct', kind: 'lan', latencyMs: 2.5 })
  expect(Date.now() - ((await byPeer()).get(ids[0])?.since.getTime() ?? 0)).toBeLessThan(15_000)
  expect(Date.now() - ((await byPeer()).get(ids[0])?.since.getTime() ?? 0)).toBeGreaterThanOrEqual(5_000)
  expect((await byPeer()).get(ids[1])).toMatchObject({ state: 'probing', why: 'a\u{fffd}b', kind: null })
  await say([report(ids[1], { state: 'relay' }), report(ids[1], { state: 'suspect', forMs: 1e300 })])
  expect((await byPeer()).get(ids[1])).toMatchObject({ state: 'suspect', since: new Date(0) })
  expect((await byPeer()).size).toBe(2)
  await say([report(ids[1])], true)
  expect([...(await byPeer()).keys()]).toEqual([ids[1]])
  await say([], true)
  expect((await byPeer()).size).toBe(0)
  unlisten()
})

test('nobody says links to machines of others, to itself, or in another’s name', async () => {
  const [alice, bob] = [await connect(await link()), await connect(await link())]
  await bob.ask('links', { links: [report(alice.machine.id, { why: 'mine' })], isWhole: true })
  const odd = [foreign.id, alice.machine.id, orgId, crypto.randomUUID(), 'x', "'; DROP TABLE"].map((id) => report(id))
  expect(await alice.ask('links', { links: odd, isWhole: true })).toMatchObject({ ok: true })
  expect(await rowsOf(alice.machine.id)).toEqual([])
  expect(await rowsOf(bob.machine.id)).toMatchObject([{ peerId: alice.machine.id, why: 'mine' }])
})

test('links end with the session, begin anew with the next, and are gone on both sides when a machine is revoked', async () => {
  const [machine, other] = [await link(), await link()]
  const [alice, bob] = [await connect(machine), await connect(other)]
  await alice.ask('links', { links: [report(other.id)], isWhole: true })
  await bob.ask('links', { links: [report(machine.id)], isWhole: true })
  await alice.close()
  await expect.poll(() => rowsOf(machine.id)).toEqual([])
  const again = await connect(machine)
  await again.ask('links', { links: [report(other.id)], isWhole: true })
  expect(await rowsOf(machine.id)).toHaveLength(1)
  // A run that takes over from one that never said goodbye.
  await connect(machine)
  expect(await rowsOf(machine.id)).toEqual([])
  expect(await rowsOf(other.id)).toHaveLength(1)
  await revokeMachine(contextOf(database.db, owner), { org: orgId, machineId: machine.id })
  expect(await database.db.machineLink.count({ where: { orgId } })).toBe(0)
})

/** A listener on this computer's loopback, with how often it was dialed. */
async function listener(server: Server): Promise<{ port: number; dialed: () => number }> {
  let dialed = 0
  server.on('connection', (socket) => {
    dialed++
    socket.on('error', () => undefined)
    open.push({ close: () => socket.destroy() })
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({ close: () => server.close() })
  return { port: (server.address() as AddressInfo).port, dialed: () => dialed }
}
const daemonOf = ({ privateKey }: Identity) =>
  listener(
    createTlsServer({
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: selfSigned(privateKey),
      minVersion: 'TLSv1.3',
    }),
  )
async function check(client: MachineClient, port: number): Promise<ReachAnswer> {
  const answer = await client.ask('reach.check', { port })
  if (!answer.ok) throw answer.error
  return answer.value as ReachAnswer
}

test('a machine that answers with its own key where it is seen is reachable', async () => {
  const alice = await connect(await link())
  const { port, dialed } = await daemonOf(alice.machine.identity)
  expect(await check(alice, port)).toMatchObject({ address: '127.0.0.1', isReachable: true })
  expect(dialed()).toBe(1)
})

test('another machine’s key, no TLS, silence and a closed port are not reachable, each with its reason', async () => {
  const [alice, bob] = [await connect(await link()), await link()]
  const closed = createServer()
  const { port } = await listener(closed)
  closed.close()
  const cases: [number, RegExp][] = [
    [(await daemonOf(bob.identity)).port, /not this machine/],
    [(await daemonOf(makeIdentity())).port, /not this machine/],
    [(await listener(createServer((socket) => socket.end('HTTP/1.1 400\r\n\r\n')))).port, /TLS|closed/],
    [(await listener(createServer())).port, /within 3 s/],
    [port, /ECONNREFUSED/],
  ]
  for (const [asked, why] of cases)
    expect(await check(alice, asked)).toEqual({
      ...{ address: '127.0.0.1', isReachable: false },
      why: expect.stringMatching(why),
    })
})

test('the control plane dials nowhere but where this very socket comes from', async () => {
  const machine = await link()
  const { port, dialed } = await daemonOf(machine.identity)
  for (const headers of [
    { 'x-forwarded-for': '127.0.0.1' },
    { 'x-forwarded-for': '169.254.169.254' },
    { 'x-forwarded-for': '192.0.2.7, 127.0.0.1' },
    { forwarded: 'for=127.0.0.1' },
    { 'x-real-ip': '127.0.0.1' },
  ] as Record<string, string>[]) {
    const client = await connect(machine, { headers })
    expect(await check(client, port)).toMatchObject({ address: null, isReachable: false })
  }
  const client = await connect(machine)
  // What it would dial is no part of the question.
  const odd = { port, host: '169.254.169.254', address: '169.254.169.254' }
  expect(await client.ask('reach.check', odd)).toMatchObject({ ok: true, value: { address: '127.0.0.1' } })
  expect(dialed()).toBe(1)
  for (const low of [0, 22, 443, 1023, 65_536, 1.5, '41650', null])
    expect(await client.ask('reach.check', { port: low } as never)).toMatchObject({
      ok: false,
      error: { code: 'BAD_REQUEST' },
    })
})

test('a machine has itself called back ten times a minute and no more, also over several connections', async () => {
  const machine = await link()
  const { port, dialed } = await daemonOf(machine.identity)
  for (let i = 0; i < 10; i++) await check(await connect(machine), port)
  await expect(check(await connect(machine), port)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  expect(dialed()).toBe(10)
  expect(await check(await connect(await link()), port)).toMatchObject({ isReachable: false })
})
