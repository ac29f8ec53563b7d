import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDb, type Db } from '#lib/db/client.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { envelopeOf, makeIdentity } from '#lib/testing/machines.ts'
import { acknowledgeMail } from './acknowledge-mail.ts'
import { readMail, waitingStreams } from './read-mail.ts'
import { type NewMail, storeMail } from './store-mail.ts'

const others = 50_000
let database: TestDatabase
/** One connection, because each tells what it read only when asked. */
let db: Db
const machine = { id: randomUUID(), orgId: randomUUID(), name: 'm', key: '', identity: makeIdentity() }

beforeAll(async () => {
  database = await createTestDatabase()
  db = createDb(database.url, { poolSize: 1 })
  await db.$executeRaw`
    INSERT INTO "MailboxMessage" ("machineId", id, "expiresAt", "orgId", "fromMachine", kind, "messageId", stream, "outboxEpoch", seq,
      payload, "sizeBytes")
    SELECT md5((i / 1000)::text)::uuid, gen_random_uuid(), now() + interval '7 days', ${machine.orgId}::uuid,
      ${machine.id}::uuid, 'envelope', gen_random_uuid(), 'Alice>Bob', 'e1', i, repeat('x', 600), 600
    FROM generate_series(1, ${others}) AS i`
})
afterAll(async () => {
  await db.$disconnect()
  await database.drop()
})

/** Rows of the mailbox that this connection read one after the other instead of by index. */
async function scanned(): Promise<number> {
  await db.$queryRaw`SELECT pg_stat_force_next_flush()::text`
  const [sum] = await db.$queryRaw<{ rows: number }[]>`
    SELECT sum(seq_tup_read)::float8 AS rows FROM pg_stat_user_tables WHERE relname LIKE 'MailboxMessage%'`
  return sum?.rows ?? Number.NaN
}

const mail = (seq: number): NewMail => {
  const from = { machine, agent: 'Alice', epoch: 1 }
  const envelope = envelopeOf(from, { machine: machine.id, agent: 'Bob' }, seq, { ttlMs: 7 * 86_400_000 })
  return { orgId: machine.orgId, machineId: machine.id, envelope }
}

test('storing, reading and acknowledging find their rows by index, with statistics and without', async () => {
  for (const statistics of ['none', 'fresh'] as const) {
    if (statistics === 'fresh') await db.$executeRaw`ANALYZE "MailboxMessage"`
    const before = await scanned()
    for (const size of [1, 100]) {
      const batch = Array.from({ length: size }, (_, seq) => mail(seq))
      await storeMail(db, batch)
      await storeMail(db, batch)
      expect(await readMail(db, machine.id, {})).toHaveLength(size)
      expect(await waitingStreams(db, machine.id)).toHaveLength(1)
      const acks = [{ to: machine.id, stream: 'Alice>Bob', outboxEpoch: 'e1', upTo: size - 1 }]
      expect((await acknowledgeMail(db, [{ machineId: machine.id, acks }])).get(machine.id)).toHaveLength(size)
    }
    expect((await scanned()) - before, statistics).toBeLessThan(others / 50)
  }
})
