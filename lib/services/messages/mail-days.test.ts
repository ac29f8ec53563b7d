import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onServer } from '#lib/testing/clone-database.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { envelopeOf, type LinkedMachine, linkMachine } from '#lib/testing/machines.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { dropMailDays, openMailDays, openMailDaysAhead } from './mail-days.ts'
import { readMail } from './read-mail.ts'
import { storeMail } from './store-mail.ts'

const dayMs = 86_400_000
let database: TestDatabase
let machine: LinkedMachine

beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  machine = await linkMachine(database.db, team.owner, team.org.id, 'm')
})
afterAll(() => database.drop())

async function days(): Promise<string[]> {
  const rows = await database.db.$queryRaw<{ day: string }[]>`
    SELECT right(inhrelid::regclass::text, 9) AS day FROM pg_inherits
    WHERE inhparent = '"MailboxMessage"'::regclass ORDER BY 1`
  return rows.map(({ day }) => day.slice(0, 8))
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10).replaceAll('-', '')

const mail = (ttlMs: number) => {
  const from = { machine, agent: 'Alice', epoch: 1 }
  const envelope = envelopeOf(from, { machine: machine.id, agent: 'Bob' }, 0, { ttlMs, stream: randomUUID() })
  return { orgId: machine.orgId, machineId: machine.id, envelope }
}

test('there is a partition for every time to live, from the migration on and ahead of tomorrow', async () => {
  const migrated = await days()
  for (let ahead = 0; ahead <= 31; ahead++) expect(migrated).toContain(dayOf(Date.now() + ahead * dayMs))
  await openMailDaysAhead(database.db, Date.now() + 2 * dayMs)
  const opened = await days()
  expect(opened.at(-1)).toBe(dayOf(Date.now() + 33 * dayMs))
  expect(new Set(opened).size).toBe(opened.length)
})

test('a row whose partition is missing makes it, also when twenty do at once', async () => {
  const gone = [10, 11].map((ahead) => dayOf(Date.now() + ahead * dayMs))
  for (const day of gone) await onServer(database.url, `DROP TABLE "MailboxMessage_${day}"`)
  const rows = Array.from({ length: 20 }, (_, n) => storeMail(database.db, [mail((10 + (n % 2)) * dayMs)]))
  expect((await Promise.all(rows)).flat()).toEqual(Array(20).fill(true))
  expect(await days()).toEqual(expect.arrayContaining(gone))
  expect(await readMail(database.db, machine.id, {})).toHaveLength(20)
})

test('a day that is over is dropped with its counts an hour later; today and what comes stays', async () => {
  const { db } = database
  const [over, today] = [Date.now() - 3 * dayMs, Date.now()]
  await openMailDays(db, [over])
  const count = { machineId: machine.id, kind: 'envelope', orgId: machine.orgId, messages: 1, bytes: 1n }
  await db.mailboxUse.create({ data: { ...count, day: new Date(over) } })
  const kept = (await days()).filter((day) => day >= dayOf(today))
  await dropMailDays(db)
  const left = await days()
  expect(left).not.toContain(dayOf(over))
  expect(left).toEqual(expect.arrayContaining(kept))
  expect(await db.mailboxUse.count({ where: { day: { lt: new Date(today - 2 * dayMs) } } })).toBe(0)

  const midnight = Date.parse(new Date(today + dayMs).toISOString().slice(0, 10))
  await dropMailDays(db, midnight + 3_599_000)
  expect(await days()).toContain(dayOf(today))
  await dropMailDays(db, midnight + 3_601_000)
  expect(await days()).not.toContain(dayOf(today))
})

test('dropping gives way to a transaction that holds the mailbox, and others are served meanwhile', async () => {
  const { db } = database
  const over = Date.now() - 5 * dayMs
  await openMailDays(db, [over])
  await db.$transaction(async (reader) => {
    await reader.$queryRaw`SELECT count(*)::int FROM "MailboxMessage"`
    const dropping = dropMailDays(db)
    expect(await storeMail(db, [mail(9 * dayMs)])).toEqual([true])
    await dropping
    expect(await days()).toContain(dayOf(over))
  })
  await dropMailDays(db)
  expect(await days()).not.toContain(dayOf(over))
})

test('a partition is made while others read and write', async () => {
  const { db } = database
  const day = Date.now() + 40 * dayMs
  await db.$transaction(async (writer) => {
    await writer.$executeRaw`UPDATE "MailboxMessage" SET seq = seq`
    await openMailDays(db, [day])
    expect(await days()).toContain(dayOf(day))
  })
})
