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
    env: { ...process.env, AGENT_RELAY_HOME: home, AGENT_RELAY_KEY: '', ...env },
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
