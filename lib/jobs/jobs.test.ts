import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { linkMachine, testLog } from '#lib/testing/machines.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { listen } from '../realtime/bus.ts'
import { openSession } from '../services/machines/sessions.ts'
import { nextRowId } from '../services/messages/row-id.ts'
import { chores } from './chores.ts'
import { startJobs } from './index.ts'
import { quietErrors } from './quiet-errors.ts'

let database: TestDatabase
let team: Awaited<ReturnType<typeof foundTeam>>
beforeAll(async () => {
  database = await createTestDatabase()
  team = await foundTeam(database.db, 'olga', 'Acme')
})
afterAll(() => database.drop())

test('a machine whose lease ran out shows offline, and its organization is told', async () => {
  const { db } = database
  const machine = await linkMachine(db, team.owner, team.org.id, 'silent')
  const facts = { orgId: team.org.id, machineId: machine.id, bootId: crypto.randomUUID(), node: 'gone', address: null }
  const id = await openSession(db, { ...facts, version: '1', latencyMs: null })
  await db.agent.create({ data: { orgId: team.org.id, machineId: machine.id, name: 'Idle', nameKey: 'idle' } })
  await db.machineSession.update({ where: { id }, data: { leaseExpiresAt: new Date(Date.now() - 1) } })
  const told: string[] = []
  const stop = listen('roster', ({ orgId }) => told.push(orgId))
  await chores['leases.end'].run(db)
  stop()
  expect(told).toEqual([team.org.id])
  expect(await db.machineSession.findUniqueOrThrow({ where: { id } })).toMatchObject({ endedAt: expect.any(Date) })
  expect(await db.agent.findFirstOrThrow({ where: { name: 'Idle' } })).toMatchObject({
    status: 'offline',
    releasedAt: null,
  })
})

test('traces, codes and links go when they are old', async () => {
  const { db } = database
  const at = (days: number) => new Date(Date.now() - days * 86_400_000)
  const trace = {
    orgId: team.org.id,
    fromMachineId: nextRowId(),
    fromAgent: 'A',
    toMachineId: nextRowId(),
    toAgent: 'B',
  }
  const rest = { sizeBytes: 1, state: 'seen' as const }
  await db.messageTrace.createMany({
    data: [31, 29].map((days) => ({ ...trace, ...rest, messageId: nextRowId(), sentAt: at(days) })),
  })
  await db.signInLink.createMany({ data: [2, 0].map((days) => ({ tokenHash: `h${days}`, expiresAt: at(days) })) })
  await chores['traces.expire'].run(db)
  await chores['access.expire'].run(db)
  expect((await db.messageTrace.findMany()).map(({ sentAt }) => sentAt.getTime() > at(30).getTime())).toEqual([true])
  expect((await db.signInLink.findMany()).map(({ tokenHash }) => tokenHash)).toEqual(['h0'])
})

test('connections that ended long ago are forgotten, open and recent ones are not', async () => {
  const { db } = database
  const machine = await linkMachine(db, team.owner, team.org.id, 'busy')
  const at = (days: number) => new Date(Date.now() - days * 86_400_000)
  const row = { orgId: team.org.id, machineId: machine.id, bootId: nextRowId(), node: 'n', leaseExpiresAt: at(8) }
  await db.machineSession.createMany({ data: [at(8), at(6), null].map((endedAt) => ({ ...row, endedAt })) })
  await chores['sessions.expire'].run(db)
  const left = await db.machineSession.findMany({ where: { machineId: machine.id }, select: { endedAt: true } })
  expect(left.map(({ endedAt }) => endedAt !== null)).toEqual(expect.arrayContaining([true, false]))
  expect(left).toHaveLength(2)
})

test('every chore is scheduled once, however often the process starts', async () => {
  for (let start = 0; start < 2; start++) {
    const jobs = await startJobs({ log: testLog, databaseUrl: database.url, db: database.db })
    await jobs.stop()
  }
  const schedules = await database.db.$queryRaw<{ key: string }[]>`SELECT key FROM pgboss.schedule ORDER BY key`
  expect(schedules.map(({ key }) => key)).toEqual(Object.keys(chores).sort())
})

test('an outage is one line a minute', () => {
  const lines: unknown[] = []
  let now = 0
  const onError = quietErrors({ ...testLog, error: (fields) => void lines.push(fields) }, () => now)
  for (; now <= 60_000; now += 1000) onError(new Error(`poll ${now}`))
  expect(lines).toEqual([{ err: new Error('poll 0') }, { err: new Error('poll 60000'), suppressed: 59 }])
})
