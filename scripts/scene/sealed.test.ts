/** Two machines as real daemon processes: what lies in Postgres between them, a key that is lost, and the archive. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import { sendAsPerson } from '#lib/services/inbox/send-as-person.ts'
import { setArchive } from '#lib/services/orgs/set-archive.ts'
import { contextOf } from '#lib/testing/people.ts'
import { type Connection, openConnection } from '../../daemon/src/client/connection.ts'
import { homePaths } from '../../daemon/src/home/paths.ts'
import { startTestPlane, type TestPlane } from './test-plane.ts'

const main = fileURLToPath(new URL('../../daemon/src/cli/main.ts', import.meta.url))
const SECRET = 'nobody between us reads this'

let plane: TestPlane
let folder: string
let alice: string
let bob: string
const open: Connection[] = []
beforeAll(async () => {
  plane = await startTestPlane()
  folder = mkdtempSync(path.join(tmpdir(), 'relay-sealed-'))
  alice = await machine('alice')
  bob = await machine('bob')
})
afterAll(async () => {
  for (const connection of open) connection.close()
  for (const home of [alice, bob]) await relay(home, ['down'])
  await plane.close()
  rmSync(folder, { recursive: true, force: true })
})

async function relay(home: string, args: string[], key = ''): Promise<string> {
  const child = spawn(process.execPath, ['--no-warnings', main, ...args], {
    env: { ...process.env, AGENT_RELAY_HOME: home, AGENT_RELAY_KEY: key },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      said += data
    })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(said)
  return said
}

async function machine(name: string): Promise<string> {
  const home = path.join(folder, name)
  const { key } = await plane.newKey(name)
  await relay(home, ['link', '--url', plane.url], key)
  await relay(home, ['up'])
  return home
}

/** An agent that takes whatever comes. */
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
  await connection.request('register', { name })
  await connection.request('subscribe', {})
  return { connection, bodies, send: (to: string, body: string) => connection.request('send', { to, body }) }
}

async function until(holds: () => Promise<boolean> | boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return
    await pause(100)
  }
  throw new Error(`not within 20 s: ${what}`)
}

const knows =
  ({ connection }: Awaited<ReturnType<typeof agent>>, name: string) =>
  async () =>
    (await connection.request('agents', {})).agents.some((known) => known.name === name)
const machineId = async (name: string) =>
  (await plane.database.db.machine.findFirstOrThrow({ where: { orgId: plane.org.id, name } })).id
const waiting = (id: string) =>
  plane.database.db.mailboxMessage.findMany({ where: { machineId: id, kind: 'envelope' }, select: { payload: true } })
/** Everything that any table or log of the control plane has, as text. */
async function everything(): Promise<string> {
  const { db } = plane.database
  const tables = await db.$queryRaw<{ name: string }[]>`
    SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`
  const all = await Promise.all(
    tables.map(({ name }) => db.$queryRawUnsafe<{ row: string }[]>(`SELECT t::text AS row FROM "${name}" t`)),
  )
  return all
    .flat()
    .map(({ row }) => row)
    .join('\n')
}

test('bodies between machines are nowhere at the control plane: not under way, not in the mailbox, not after a lost key', async () => {
  const ada = await agent(alice, 'Ada')
  let ben = await agent(bob, 'Ben')
  await until(knows(ada, 'Ben'), 'Ada knows Ben')
  await ada.send('Ben', `${SECRET} 1`)
  await until(() => ben.bodies.length === 1, 'the first arrives')
  expect(existsSync(homePaths(bob).seal)).toBe(true)
  const id = await machineId('bob')
  expect((await plane.database.db.machine.findUniqueOrThrow({ where: { id } })).seals).toHaveLength(1)
  ben.connection.close()
  await relay(bob, ['down'])
  await ada.send('Ben', `${SECRET} 2`)
  await until(async () => (await waiting(id)).length === 1, 'the second waits')
  const kept = (await waiting(id))[0]?.payload as string
  expect(JSON.parse(kept)).toMatchObject({ body: '', sealed: { by: expect.any(String) } })
  expect(await everything()).not.toContain(SECRET)
  // The machine lost what opens it: it asks for it again, and its sender seals it anew.
  rmSync(homePaths(bob).seal)
  await relay(bob, ['up'])
  ben = await agent(bob, 'Ben')
  await until(() => ben.bodies.length > 0, 'the second arrives')
  await ada.send('Ben', `${SECRET} 3`)
  await until(() => ben.bodies.length > 1, 'the third arrives')
  expect(ben.bodies).toEqual([`${SECRET} 2`, `${SECRET} 3`])
  await until(async () => (await waiting(id)).length === 0, 'the mailbox is empty')
  expect(readFileSync(homePaths(bob).log, 'utf8')).toMatch(/could not be opened/)
  expect(await everything()).not.toContain(SECRET)
  expect(await relay(alice, ['status', '--json'])).toContain('"mode": "sealed"'.replace(': ', ':'))
})

test('a person and an agent write to each other, sealed to and by the control plane', async () => {
  const cleo = await agent(alice, 'Cleo')
  await cleo.send('@olga', 'dear Olga')
  const { db } = plane.database
  await until(async () => (await db.dashboardMessage.count({ where: { body: 'dear Olga' } })) === 1, 'Olga has it')
  const ctx = await requireMembership(contextOf(db, plane.owner), plane.org.id)
  await sendAsPerson(ctx, { to: 'Cleo', body: 'dear Cleo' })
  await until(() => cleo.bodies.includes('dear Cleo'), 'Cleo has it')
})

test('the archive has what is sent while it is on, also while the control plane is away, and nothing from before or after', async () => {
  const { db } = plane.database
  const dan = await agent(alice, 'Dan')
  const eli = await agent(bob, 'Eli')
  await until(knows(dan, 'Eli'), 'Dan knows Eli')
  await dan.send('Eli', 'before the archive')
  await until(() => eli.bodies.length === 1, 'it arrives')
  const ctx = async () => requireMembership(contextOf(db, plane.owner), plane.org.id)
  await setArchive(await ctx(), { isOn: true })
  const isArchived = async (home: string) => /"mode":\s*"archived"/.test(await relay(home, ['status', '--json']))
  await until(() => isArchived(alice), 'Alice is told')
  await dan.send('Eli', 'while it is on')
  const archived = async () =>
    (await db.archivedMessage.findMany({ orderBy: { sentAt: 'asc' } })).map(({ body }) => body)
  await until(async () => (await archived()).length === 1, 'it is archived')
  await plane.stop()
  await dan.send('Eli', 'while nobody archived')
  await plane.start()
  await until(() => eli.bodies.length === 3, 'it arrives')
  await until(async () => (await archived()).length === 2, 'it is archived, too')
  await setArchive(await ctx(), { isOn: false })
  await until(async () => !(await isArchived(alice)), 'Alice is told again')
  await dan.send('Eli', 'after it')
  await until(() => eli.bodies.length === 4, 'it arrives')
  expect(await archived()).toEqual(['while it is on', 'while nobody archived'])
}, 60_000)
