/** Messages between two daemon processes over the control plane's own gateway and Postgres, under trouble. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { UserActor } from '#lib/services/context.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { linkMachine, startGateway, type TestGateway } from '#lib/testing/machines.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { writeConfig } from '../../daemon/src/home/config.ts'
import { homePaths } from '../../daemon/src/home/paths.ts'
import { daemonLab } from '../../daemon/test/daemon-process.ts'
import { buildBundle } from '../../daemon/test/support/bundle.ts'

let cli: string
let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let org: { id: string; slug: string; name: string }
let lab: ReturnType<typeof daemonLab>
let count = 0

beforeAll(async () => {
  cli = buildBundle()
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  org = { id: team.org.id, slug: team.org.slug, name: 'Acme' }
  await database.db.organization.update({ where: { id: org.id }, data: { plan: 'team' } })
}, 60_000)
afterAll(async () => {
  rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true })
  await database.drop()
})
beforeEach(async () => {
  // What the control plane carries is what these tests are about.
  lab = daemonLab(cli, { AGENT_RELAY_PEER_PORT: 'off' })
  gateway = await startGateway(database.db)
})
afterEach(async () => {
  await lab.close()
  await gateway.close()
})

/** A home that is linked as `agent-relay link` would leave it. */
async function linkedHome(): Promise<{ home: string; machine: string }> {
  const machine = await linkMachine(database.db, owner, org.id, `m${++count}`)
  const home = lab.home(machine.name)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const pem = machine.identity.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  writeFileSync(homePaths(home).identity, pem, { mode: 0o600 })
  writeConfig(homePaths(home), {
    v: 1,
    link: {
      url: gateway.url,
      key: machine.key,
      machine: { id: machine.id, name: machine.name },
      org,
      person: 'olga',
      linkedAt: 0,
    },
  })
  return { home, machine: machine.name }
}

type Client = Awaited<ReturnType<typeof lab.connect>>

async function isConnected(client: Client, isIt = true): Promise<void> {
  await expect
    .poll(async () => (await client.request('status', {})).control.state === 'connected', { timeout: 15_000 })
    .toBe(isIt)
}

async function knows(client: Client, name: string): Promise<void> {
  await expect
    .poll(async () => (await client.request('agents', {})).agents.map((agent) => agent.name), { timeout: 15_000 })
    .toContain(name)
}

/** Two linked machines with an agent each that know each other. */
async function pair() {
  const [left, right] = [await linkedHome(), await linkedHome()]
  const [a, b] = [`Alice${count}`, `Bob${count}`]
  const daemons = { left: await lab.start(left.home), right: await lab.start(right.home) }
  const [alice, bob] = [await lab.connect(left.home), await lab.connect(right.home)]
  await isConnected(alice)
  await isConnected(bob)
  expect((await alice.request('register', { name: a })).claim).toBe('granted')
  await bob.request('register', { name: b })
  await knows(alice, b)
  return { left, right, daemons, alice, bob, a, b }
}

test('a message to another machine is carried, accepted, injected and told, and a reply comes back', async () => {
  const { alice, bob, a, b, right } = await pair()
  await bob.request('subscribe', {})
  await alice.request('subscribe', {})
  const sent = await alice.request('send', { to: b.toLowerCase(), body: 'over there' })
  expect(sent.messages).toMatchObject([{ agent: b, machine: right.machine, state: 'queued' }])
  const [first] = await bob.delivered(1)
  expect(first?.message).toMatchObject({ from: a, body: 'over there', fromPerson: expect.any(String) })
  const waited = alice.request('wait', { ids: [sent.id], state: 'injected', timeoutMs: 15_000 })
  await bob.request('mark', { ids: [sent.id], state: 'injected' })
  expect(await waited).toMatchObject({ isReached: true, messages: [{ state: 'injected' }] })
  const trace = await alice.request('trace', { message: sent.id })
  expect(trace).toMatchObject({ path: 'relay', state: 'injected', tookMs: expect.any(Number) })
  expect(trace.hops.map((hop) => hop.kind)).toEqual(['queued', 'sent', 'accepted', 'injected'])
  await bob.request('send', { to: a, body: 'and back', replyTo: sent.id })
  expect((await alice.delivered(1))[0]?.message).toMatchObject({ from: b, body: 'and back', replyTo: sent.id })
  // The dashboard hears of it: headers and hops, no body.
  await expect
    .poll(async () => (await database.db.messageTrace.findFirst({ where: { messageId: sent.id } }))?.state, {
      timeout: 10_000,
    })
    .toBe('injected')
}, 60_000)

test('for a machine that is away messages are stored, arrive once it is back, and the sender hears of it', async () => {
  const { alice, b, right, daemons } = await pair()
  await lab.kill(daemons.right)
  await expect
    .poll(async () => (await alice.request('send', { to: b, body: 'wake up' })).messages[0]?.note, { timeout: 15_000 })
    .toContain(`${b} is offline`)
  const sent = await alice.request('send', { to: b, body: 'last' })
  const stored = await alice.request('wait', { ids: [sent.id], state: 'stored', timeoutMs: 15_000 })
  expect(stored.messages).toMatchObject([{ state: 'stored' }])
  await lab.start(right.home)
  const bob = await lab.connect(right.home, b)
  await bob.request('subscribe', {})
  const accepted = await alice.request('wait', { ids: [sent.id], state: 'accepted', timeoutMs: 30_000 })
  expect(accepted.isReached).toBe(true)
  const bodies = () => bob.deliveries.map(({ message }) => message.body)
  await expect.poll(bodies).toContain('last')
  expect(bodies().at(-1)).toBe('last')
  const ids = bob.deliveries.map(({ message }) => message.id)
  expect(new Set(ids).size).toBe(ids.length)
  expect((await alice.request('trace', { message: sent.id })).path).toBe('mailbox')
}, 90_000)

test('a restart of the control plane and kill -9 of both daemons lose nothing, repeat nothing and keep the order', async () => {
  const { alice, bob, a, b, left, right, daemons } = await pair()
  await bob.request('subscribe', {})
  const queued: string[] = []
  const say = async (from: Client, n: number) => {
    const answers = await Promise.all(
      Array.from({ length: n }, (_, i) => from.request('send', { to: b, body: `${queued.length + i}` })),
    )
    queued.push(...answers.map((answer) => answer.id))
  }
  await say(alice, 200)
  const { port } = new URL(gateway.url)
  await gateway.close()
  await isConnected(alice, false)
  await say(alice, 200)
  expect((await alice.request('send', { to: b, body: '400' })).messages[0]?.note).toContain('not connected')
  queued.push('')
  gateway = await startGateway(database.db, { port: Number(port) })
  await lab.kill(daemons.left)
  await lab.start(left.home)
  const again = await lab.connect(left.home, a)
  await say(again, 200)
  await lab.kill(daemons.right)
  await lab.start(right.home)
  await say(again, 200)
  const ids = queued.filter((id) => id !== '')
  const waited = await again.request('wait', { ids, state: 'accepted', timeoutMs: 60_000 })
  expect(waited.isReached).toBe(true)
  const reader = await lab.connect(right.home, b)
  const { entries } = await reader.request('inbox', { limit: 1000 })
  expect(entries.map((entry) => Number(entry.message.body))).toEqual(Array.from({ length: 801 }, (_, n) => n))
}, 120_000)

test('a name is refused where another machine holds it, and a wrong name tells the nearest one of the organization', async () => {
  const { alice, a, b, right } = await pair()
  await expect(alice.request('register', { name: b })).rejects.toMatchObject({
    code: 'NAME_TAKEN',
    details: { suggestion: `${b}-2` },
  })
  const wrong = `${b.slice(0, 2)}c${b.slice(3)}`
  await expect(alice.request('send', { to: wrong, body: 'x' })).rejects.toMatchObject({
    code: 'UNKNOWN_ADDRESS',
    message: expect.stringContaining(`"${b}"`),
  })
  const all = await alice.request('send', { to: '*:*', body: 'everybody' })
  expect(all.messages.map((message) => message.agent)).toContain(b)
  expect(all.messages.map((message) => message.agent)).not.toContain(a)
  const status = await alice.request('status', {})
  expect(status).toMatchObject({ linked: { org: org.slug }, control: { state: 'connected' } })
  expect(status.machines.find((machine) => machine.name === right.machine)).toMatchObject({
    isOnline: true,
    path: 'relay',
  })
}, 60_000)
