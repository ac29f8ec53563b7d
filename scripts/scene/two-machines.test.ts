/** Two machines as real daemon processes, and a control plane that comes and goes under them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Connection, openConnection } from '../../daemon/src/client/connection.ts'
import { homePaths } from '../../daemon/src/home/paths.ts'
import { startTestPlane, type TestPlane } from './test-plane.ts'

const main = fileURLToPath(new URL('../../daemon/src/cli/main.ts', import.meta.url))

let plane: TestPlane
let folder: string
const homes = new Set<string>()
const open: Connection[] = []
beforeAll(async () => {
  plane = await startTestPlane()
})
afterAll(() => plane.close())
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relay-two-'))
})
afterEach(async () => {
  for (const connection of open.splice(0)) connection.close()
  for (const home of homes) await relay(home, ['down'])
  homes.clear()
  rmSync(folder, { recursive: true, force: true })
})

async function relay(home: string, args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--no-warnings', main, ...args], {
    env: { ...process.env, AGENT_RELAY_HOME: home, AGENT_RELAY_KEY: '', AGENT_RELAY_PEER_PORT: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      said += data
    })
  const [code] = await once(child, 'close')
  return { code, said }
}

/** A linked machine whose daemon runs. */
async function machine(name: string): Promise<string> {
  const home = path.join(folder, name)
  const { key } = await plane.newKey(name)
  homes.add(home)
  expect(await relay(home, ['link', '--url', plane.url], { AGENT_RELAY_KEY: key })).toMatchObject({ code: 0 })
  expect(await relay(home, ['up'])).toMatchObject({ code: 0 })
  return home
}

async function agent(home: string, name: string) {
  const bodies: string[] = []
  const connection = await openConnection({
    socket: homePaths(home).socket,
    client: 'test/1',
    onPush(push) {
      if (push.type !== 'deliver') return
      bodies.push(push.message.body)
      void connection.request('mark', { ids: [push.message.id], state: 'seen' })
    },
  })
  open.push(connection)
  const { token } = await connection.request('register', { name })
  await connection.request('subscribe', {})
  const isKnown = async (other: string) =>
    (await connection.request('agents', {})).agents.some((known) => known.name === other)
  return {
    connection,
    bodies,
    token,
    isKnown,
    control: async () => (await connection.request('status', {})).control.state,
  }
}

/** Asks for the name over a connection of its own, which stays open. */
async function register(home: string, name: string) {
  const connection = await openConnection({ socket: homePaths(home).socket, client: 'test/1' })
  open.push(connection)
  return connection.request('register', { name })
}

/** What the control plane's database says of a name. */
const heldBy = (name: string) =>
  plane.database.db.agent.findFirstOrThrow({ where: { name }, include: { machine: { select: { name: true } } } })

const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `message ${from + n}`)

test('what is sent while the control plane is away, and over a kill -9 of the sender, arrives once and in order', async () => {
  const [left, right] = [await machine('left'), await machine('right')]
  const bob = await agent(right, 'Bob')
  const alice = await agent(left, 'Alice')
  await expect.poll(() => alice.isKnown('Bob'), { timeout: 10_000 }).toBe(true)
  const send = (connection: Connection, bodies: string[]) =>
    Promise.all(bodies.map((body) => connection.request('send', { to: 'Bob', body })))

  await send(alice.connection, numbered(0, 50))
  await expect.poll(() => bob.bodies.length, { timeout: 10_000 }).toBe(50)

  await plane.stop()
  await expect.poll(alice.control, { timeout: 10_000 }).not.toBe('connected')
  await send(alice.connection, numbered(50, 80))
  process.kill(Number(readFileSync(homePaths(left).pid, 'utf8')), 'SIGKILL')
  await alice.connection.closed
  expect(await relay(left, ['up'])).toMatchObject({ code: 0 })
  const { token } = alice
  const again = await openConnection({
    socket: homePaths(left).socket,
    client: 'test/1',
    agent: { name: 'Alice', token },
  })
  open.push(again)
  await send(again, numbered(80, 100))
  const refusal = await relay(left, ['unlink'])
  expect(refusal).toMatchObject({
    code: 1,
    said: expect.stringMatching(/still wait to be sent \(50 for right\).*--force/),
  })

  await plane.start()
  await expect.poll(() => bob.bodies.length, { timeout: 30_000 }).toBe(100)
  expect(bob.bodies).toEqual(numbered(0, 100))
}, 90_000)

test('a machine that its person unlinks is gone from the others, and goes on serving its own agents', async () => {
  const [left, right] = [await machine('one'), await machine('two')]
  const carol = await agent(left, 'Carol')
  const dave = await agent(right, 'Dave')
  await expect.poll(() => carol.isKnown('Dave'), { timeout: 10_000 }).toBe(true)
  expect(await relay(right, ['unlink'])).toMatchObject({ code: 0, said: expect.stringContaining('two left Acme') })
  await expect.poll(() => carol.isKnown('Dave'), { timeout: 10_000 }).toBe(false)
  await expect.poll(dave.control).toBe('unlinked')
  const erin = await agent(right, 'Erin')
  await erin.connection.request('send', { to: 'Dave', body: 'still here' })
  await expect.poll(() => dave.bodies, { timeout: 10_000 }).toEqual(['still here'])
}, 60_000)

test('a name stays with the machine that runs it over a restart of the control plane, and is free when that machine is down', async () => {
  const [left, right] = [await machine('holder'), await machine('heir')]
  const alice = await agent(left, 'Alice')
  const other = await agent(right, 'Other')
  await expect.poll(() => other.isKnown('Alice'), { timeout: 10_000 }).toBe(true)
  const { epoch } = await heldBy('Alice')
  const holder = Number(readFileSync(homePaths(left).pid, 'utf8'))

  await plane.stop()
  // It cannot come back before the other one has tried.
  process.kill(holder, 'SIGSTOP')
  try {
    await plane.start()
    await expect.poll(other.control, { timeout: 40_000 }).toBe('connected')
    await expect(register(right, 'Alice')).rejects.toMatchObject({
      code: 'NAME_TAKEN',
      details: { owner: 'olga on holder', freeInSeconds: expect.any(Number) },
    })
  } finally {
    process.kill(holder, 'SIGCONT')
  }
  await expect.poll(alice.control, { timeout: 40_000 }).toBe('connected')
  expect(await heldBy('Alice')).toMatchObject({ machine: { name: 'holder' }, epoch, releasedAt: null })

  expect(await relay(left, ['down'])).toMatchObject({ code: 0 })
  expect(await heldBy('Alice')).toMatchObject({ status: 'offline', releasedAt: expect.any(Date) })
  expect(await register(right, 'Alice')).toMatchObject({ claim: 'granted', epoch: epoch + 1 })
}, 120_000)

test('a program that ends lets go of its name, its mail waits, and its next start goes on under the same epoch', async () => {
  const [left, right] = [await machine('runner'), await machine('writer')]
  const program = relay(left, ['run', 'Brief', '--', process.execPath, '-e', ''])
  const writer = await agent(right, 'Writer')
  expect(await program).toMatchObject({ code: 0 })
  await expect.poll(async () => (await heldBy('Brief')).releasedAt, { timeout: 10_000 }).toBeInstanceOf(Date)
  await expect.poll(() => writer.isKnown('Brief'), { timeout: 10_000 }).toBe(true)
  const { messages } = await writer.connection.request('send', { to: 'Brief', body: 'for later' })
  const ids = messages.map(({ id }) => id)
  expect(await writer.connection.request('wait', { ids, state: 'accepted', timeoutMs: 10_000 })).toMatchObject({
    isReached: true,
  })
  const brief = await agent(left, 'Brief')
  await expect.poll(() => brief.bodies, { timeout: 10_000 }).toEqual(['for later'])
  await expect
    .poll(() => heldBy('Brief'), { timeout: 10_000 })
    .toMatchObject({ epoch: 1, releasedAt: null, status: 'online' })
}, 60_000)

test('a late word under the name of a program that ended is sent, and holds the name no longer than that', async () => {
  const [left, right] = [await machine('late'), await machine('reader')]
  const reader = await agent(right, 'Reader')
  const gone = await agent(left, 'Gone')
  await expect.poll(() => gone.isKnown('Reader'), { timeout: 10_000 }).toBe(true)
  gone.connection.close()
  await expect.poll(async () => (await heldBy('Gone')).releasedAt, { timeout: 10_000 }).toBeInstanceOf(Date)
  // After a restart the daemon has not asked for this name on its connection.
  expect(await relay(left, ['down'])).toMatchObject({ code: 0 })
  expect(await relay(left, ['up'])).toMatchObject({ code: 0 })
  const late = await openConnection({
    socket: homePaths(left).socket,
    client: 'test/1',
    agent: { name: 'Gone', token: gone.token },
  })
  open.push(late)
  await expect.poll(async () => (await late.request('status', {})).control.state, { timeout: 10_000 }).toBe('connected')
  await late.request('send', { to: 'Reader', body: 'one more thing' })
  await expect.poll(() => reader.bodies, { timeout: 10_000 }).toEqual(['one more thing'])
  await expect.poll(async () => (await heldBy('Gone')).releasedAt, { timeout: 10_000 }).toBeInstanceOf(Date)
}, 60_000)

test('a message that expired at its sender shows as failed to the organization, with its reason', async () => {
  const [left, right] = [await machine('sender'), await machine('asleep')]
  const hush = await agent(right, 'Hush')
  const eager = await agent(left, 'Eager')
  await expect.poll(() => eager.isKnown('Hush'), { timeout: 10_000 }).toBe(true)
  hush.connection.close()
  expect(await relay(right, ['down'])).toMatchObject({ code: 0 })
  const program = ['-e', 'console.log("ready"); process.stdin.resume()']
  const stays = spawn(process.execPath, ['--no-warnings', main, 'run', 'Stays', '--', process.execPath, ...program], {
    env: { ...process.env, AGENT_RELAY_HOME: left },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(stays.stdout, 'data')
  await eager.connection.request('send', { to: 'Hush', body: 'this one waits' })
  for (const from of [[], ['--from', 'Stays'], ['--from', 'Eager']]) {
    const sent = await relay(left, ['send', 'Hush', 'hi', ...from, '--ttl', '2s', '--wait'])
    expect(sent.said).toMatch(/time to live/)
    expect(sent.code).toBe(1)
  }
  const traces = () =>
    plane.database.db.messageTrace.findMany({ where: { toAgent: 'Hush' }, orderBy: { messageId: 'asc' } })
  const failed = { state: 'failed', reason: expect.stringContaining('time to live') }
  await expect.poll(traces, { timeout: 10_000 }).toMatchObject([{ state: 'stored' }, failed, failed, failed])
  stays.kill('SIGTERM')
  await once(stays, 'close')
}, 60_000)
