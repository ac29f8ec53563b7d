/** One home on two computers, and everything that looks like it and is not. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { UserActor } from '#lib/services/context.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  connectMachine,
  type LinkedMachine,
  linkMachine,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { createClones } from './clones.ts'

/** Runs that come at these times (s), by letter: which of them are refused. */
function refusals(runs: string, times: (nth: number) => number = (nth) => nth): string {
  const clones = createClones()
  return [...runs].map((run, nth) => (clones.isClone('m', run, times(nth) * 1000) ? '!' : '.')).join('')
}

test.each([
  ['two that take turns', 'ABABA', '....!'],
  ['two, of which one comes twice', 'ABBAABBA', '.......!'],
  ['three that take turns', 'ABCABC', '.....!'],
  ['one that reconnects', 'AAAAAAAAAA', '..........'],
  ['restarts, however quick', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '..........................'],
  ['restarts with reconnects between', 'AABBBCCDDEE', '...........'],
  ['a last try of a run that was being stopped', 'ABABCDEFG', '.........'],
  ['an old run that comes back once, now and then', 'ABAC', '....'],
])('%s: %s', (_, runs, expected) => expect(refusals(runs)).toBe(expected))

test('returns that lie further apart than two minutes in all are no alternation', () => {
  expect(refusals('ABABABAB', (nth) => nth * 61)).toBe('........')
  expect(refusals('ABABA', (nth) => nth * 50)).toBe('....!')
})

test('both are refused until nobody has tried for a minute; then one may come, and two are found again', () => {
  const clones = createClones()
  const come = (run: string, second: number) => clones.isClone('m', run, second * 1000)
  expect([0, 1, 2, 3, 4].map((second) => come(second % 2 === 0 ? 'A' : 'B', second))).toEqual([
    ...[false, false, false, false, true],
  ])
  expect(clones.isRefused('m', 60_000)).toBe(true)
  expect(come('A', 60)).toBe(true)
  expect(come('B', 119)).toBe(true)
  expect(come('C', 178)).toBe(true)
  expect(clones.isRefused('m', 238_001)).toBe(false)
  expect(come('B', 239)).toBe(false)
  expect([240, 241, 242, 243, 244].map((second) => come(second % 2 === 0 ? 'A' : 'B', second))).toContain(true)
  expect(clones.isClone('another', 'A', 245_000)).toBe(false)
})

test('a machine that invents runs without end takes no more memory than another', () => {
  const clones = createClones()
  for (let i = 0; i < 100_000; i++) clones.isClone('m', `run ${i}`, i)
  // The first are forgotten, and so are no return.
  for (let i = 0; i < 20; i++) expect(clones.isClone('m', `run ${i}`, 100_000 + i)).toBe(false)
})

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let orgId: string
beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  orgId = team.org.id
})
afterAll(() => database.drop())
beforeEach(async () => {
  gateway = await startGateway(database.db)
})
afterEach(() => gateway.close())

const runs = () => [crypto.randomUUID(), crypto.randomUUID()] as const
const link = (name: string): Promise<LinkedMachine> => linkMachine(database.db, owner, orgId, name)

test('two computers with one home are both stopped with what to do, and so is each further try; others are not', async () => {
  const [machine, other] = [await link('copied'), await link('other')]
  const [one, two] = runs()
  const words: unknown[] = []
  const come = async (bootId: string) => {
    const client = await connectMachine(gateway.url, machine, { bootId })
    client.socket.on('goodbye', (error) => void words.push(error.code))
    return client
  }
  for (const bootId of [one, two, one]) await come(bootId)
  const last = await come(two)
  const ended = new Promise((resolve) => last.socket.once('disconnect', resolve))
  await expect(come(one)).rejects.toMatchObject({
    code: 'CLONED',
    message: expect.stringMatching(/in use on two computers.*agent-relay unlink.*agent-relay link/),
  })
  await ended
  expect(words).toEqual(['CONFLICT', 'CONFLICT', 'CONFLICT', 'CLONED'])
  for (const bootId of [one, two, crypto.randomUUID()])
    await expect(come(bootId)).rejects.toMatchObject({ code: 'CLONED' })
  await expect(connectMachine(gateway.url, machine, { v: 2 })).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' })
  await expect.poll(() => database.db.machineSession.count({ where: { machineId: machine.id, endedAt: null } })).toBe(0)
  const healthy = await connectMachine(gateway.url, other)
  await healthy.close()
})

test('a run that is on its way in while the two are found does not stay either', async () => {
  for (let round = 0; round < 5; round++) {
    const machine = await link(`pending-${round}`)
    const [one, two] = runs()
    for (const bootId of [one, two, one, two]) await connectMachine(gateway.url, machine, { bootId })
    const tries = await Promise.allSettled([two, one].map((bootId) => connectMachine(gateway.url, machine, { bootId })))
    for (const outcome of tries)
      if (outcome.status === 'fulfilled') await expect.poll(() => outcome.value.socket.connected).toBe(false)
      else expect(outcome.reason).toMatchObject({ code: 'CLONED' })
    const open = () => database.db.machineSession.count({ where: { machineId: machine.id, endedAt: null } })
    await expect.poll(open).toBe(0)
  }
})

test('a daemon that is started anew again and again, also over its old connection, is never taken for two', async () => {
  const machine = await link('restarted')
  for (let i = 0; i < 12; i++) {
    const client = await connectMachine(gateway.url, machine)
    if (i % 2 === 0) await client.close()
  }
  const [one] = runs()
  for (let i = 0; i < 6; i++) await connectMachine(gateway.url, machine, { bootId: one })
  const last = await connectMachine(gateway.url, machine, { bootId: one })
  expect(await last.ask('heartbeat', { at: 1 })).toMatchObject({ ok: true })
  await last.close()
})

test('whoever has only the key cannot stop a machine by pretending to be its copies', async () => {
  const machine = await link('targeted')
  const [own, false_] = runs()
  const client = await connectMachine(gateway.url, machine, { bootId: own })
  const { makeIdentity } = await import('#lib/testing/machines.ts')
  for (let i = 0; i < 6; i++)
    await expect(
      connectMachine(gateway.url, machine, { bootId: i % 2 === 0 ? false_ : own, identity: makeIdentity() }),
    ).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' })
  expect(await client.ask('heartbeat', { at: 1 })).toMatchObject({ ok: true })
  await client.close()
})
