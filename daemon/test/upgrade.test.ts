/** relay.db of the first version, with its data, under the newest; and one of a newer version than this. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openConnection } from '../src/client/connection.ts'
import { homePaths } from '../src/home/paths.ts'
import { STEPS } from '../src/store/schema.ts'
import { openStore } from '../src/store/store.ts'
import { daemonLab } from './daemon-process.ts'
import { buildBundle } from './support/bundle.ts'
import { createMachine, type Machine } from './support/machine.ts'

let cli: string
let lab: ReturnType<typeof daemonLab>
let machine: Machine
beforeAll(() => {
  cli = buildBundle()
})
afterAll(() => rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true }))
beforeEach(() => {
  lab = daemonLab(cli)
  machine = createMachine(cli)
})
afterEach(async () => {
  await lab.close()
  await machine.dispose()
})

const id = (n: number): string => `0199a000-0000-7000-8000-00000000000${n}`
const token = 'of-both-agents'

function writeFirstVersion(path: string): void {
  const sql = readFileSync(join(import.meta.dirname, 'fixtures/relay-schema-1.sql'), 'utf8')
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = WAL')
  db.exec(
    sql.replaceAll(/\bNOW\b/g, String(Date.now())).replaceAll('HASH', createHash('sha256').update(token).digest('hex')),
  )
  db.close()
}

test('everything in a file of the first version is there after the upgrade, and goes on', async () => {
  const home = lab.home('one')
  mkdirSync(home, { mode: 0o700 })
  writeFirstVersion(homePaths(home).db)
  await lab.start(home)
  const person = await lab.connect(home)
  const { entries } = await person.request('history', {})
  // Without a link in its configuration this machine left the organization, and what waited for Carol fails by that.
  expect(entries.map((entry) => [entry.message.id, entry.state])).toEqual([
    [id(1), 'seen'],
    [id(2), 'accepted'],
    [id(3), 'failed'],
    [id(4), 'failed'],
    [id(5), 'seen'],
    [expect.any(String), 'accepted'],
  ])
  expect((await person.request('history', { search: 'wait' })).entries.map((entry) => entry.message.id)).toEqual([
    id(2),
  ])
  expect((await person.request('dead', {})).entries.map((entry) => entry.message.id)).toEqual([id(3), id(4)])
  expect((await person.request('trace', { message: id(3) })).hops.map((hop) => hop.kind)).toEqual([
    'queued',
    'sent',
    'failed',
  ])
  const received: string[] = []
  const bob = await openConnection({
    socket: homePaths(home).socket,
    client: 'test/1',
    agent: { name: 'Bob', token },
    onPush: (push) => push.type === 'deliver' && received.push(push.message.body),
  })
  expect(await bob.request('subscribe', {})).toEqual({ waiting: 1 })
  await expect.poll(() => received, { timeout: 20_000 }).toEqual(['waits for Bob'])
  bob.close()
})

test('streams, watermarks and names are as they were', async () => {
  const path = join(machine.home, 'relay.db')
  writeFirstVersion(path)
  const store = openStore(path)
  const state = store.recover({ entropy: { id: () => id(9), unit: () => 0 }, hostName: 'here', userName: 'me' })
  expect(state.outboxEpoch).toBe('00112233445566ff')
  expect(state.identity?.org.slug).toBe('acme')
  expect(state.outStreams.get('alice>carol@m-there')).toMatchObject({
    nextSeq: 2,
    sentTo: 1,
    entries: [{ id: id(4), seq: 1 }],
  })
  expect(state.inStreams.get('m-there theirs carol>alice@m-here')?.next).toBe(7)
  expect([...state.agents.values()].map(({ name, epoch, pushedTo }) => ({ name, epoch, pushedTo }))).toEqual([
    { name: 'Alice', epoch: 3, pushedTo: 0 },
    { name: 'Bob', epoch: 2, pushedTo: 1 },
  ])
  expect(state.debts.size, 'a file of before receipts were answered owes none').toBe(0)
  expect(store.damage()).toBeUndefined()
  await store.close()
})

test('a file of a newer version is refused in one sentence that names both, and left as it is', async () => {
  const { db } = homePaths(machine.home)
  const file = new DatabaseSync(db)
  file.exec(`PRAGMA user_version = ${STEPS.length + 1}`)
  file.close()
  const before = readFileSync(db)
  const { code, stdout, stderr } = await machine.relay(['up'])
  expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
  expect(stderr).toBe(
    `agent-relay: ${db} was written by a newer agent-relay (schema ${STEPS.length + 1}, this one knows ${STEPS.length}): install the newer version again.\n`,
  )
  expect(readFileSync(db)).toEqual(before)
})

test('a time to keep history that is none keeps the daemon from starting, and names the variable', async () => {
  for (const text of ['soon', '1h', '9999d']) {
    const { code, stderr } = await machine.relay(['up'], { env: { AGENT_RELAY_HISTORY: text } })
    expect(code).toBe(4)
    expect(stderr).toBe(
      `agent-relay: AGENT_RELAY_HISTORY is "${text}": set it to how long messages are kept, from 1d to 3650d, or unset it for 30d.\n`,
    )
  }
  expect((await machine.relay(['up'], { env: { AGENT_RELAY_HISTORY: '90d' } })).code).toBe(0)
})

test('history that is old enough is gone after a start', async () => {
  const { db } = homePaths(machine.home)
  writeFirstVersion(db)
  const file = new DatabaseSync(db)
  file.exec(`UPDATE message SET at = at - 3 * 86400000 WHERE n IN (1, 2)`)
  file.close()
  writeFileSync(join(machine.home, 'note'), 'the folder is there before the daemon')
  await machine.relay(['up'], { env: { AGENT_RELAY_HISTORY: '2d' } })
  const listed = async () =>
    JSON.parse((await machine.relay(['history', '--json'])).stdout).entries.map(
      (e: { message: { id: string } }) => e.message.id,
    )
  await expect.poll(listed, { timeout: 20_000 }).not.toContain(id(1))
  expect(await listed(), 'what waits stays').toContain(id(2))
})
