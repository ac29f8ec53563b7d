import { randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '#lib/db/migrate.ts'
import { onServer } from '#lib/testing/clone-database.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { envelopeOf } from '#lib/testing/machines.ts'
import { acknowledgeMail } from './acknowledge-mail.ts'
import { readMail } from './read-mail.ts'
import { nextRowId } from './row-id.ts'

let database: TestDatabase
let folder: string
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false })
  folder = mkdtempSync(path.join(tmpdir(), 'agent-relay-migrations-'))
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await database.drop()
})

test('mail that waited before the mailbox was partitioned is still delivered, and counts', async () => {
  const [first] = readdirSync('prisma/migrations').sort() as [string]
  cpSync(path.join('prisma/migrations', first), path.join(folder, first), { recursive: true })
  await migrate(database.url, folder)
  const [orgId, userId, machineId, fromMachine] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
  await onServer(
    database.url,
    `INSERT INTO "Organization" (id, kind, slug, name) VALUES ('${orgId}', 'team', 'acme', 'Acme');
     INSERT INTO "User" (id) VALUES ('${userId}');
     INSERT INTO "Machine" (id, "orgId", "userId", name, "nameKey", "apiKeyHash", "keyPrefix")
       VALUES ('${machineId}', '${orgId}', '${userId}', 'm', 'm', 'h', 'p')`,
  )
  const identity = { publicKey: '', privateKey: undefined as never }
  const sender = { machine: { id: fromMachine, orgId, name: '', key: '', identity }, agent: 'Alice', epoch: 1 }
  const old = (body: string, seq: number, ttl: string) => {
    const envelope = envelopeOf(sender, { machine: machineId, agent: 'Bob' }, seq, { body })
    const payload = JSON.stringify(JSON.stringify(envelope)).replaceAll("'", "''")
    return `('${nextRowId()}', '${orgId}', '${machineId}', '${fromMachine}', 'envelope', '${envelope.id}', '${envelope.stream}', 'e1', ${seq},
      '${payload}'::jsonb, 700, (now() AT TIME ZONE 'UTC') + interval '${ttl}')`
  }
  const body = 'it\'s "quoted" \0 \ud800 ü'
  await onServer(
    database.url,
    `INSERT INTO "MailboxMessage" (id, "orgId", "machineId", "fromMachine", kind, "messageId", stream, "outboxEpoch", seq,
       payload, "sizeBytes", "expiresAt") VALUES
       ${[old(body, 0, '1 minute'), old('late', 1, '30 days'), old('over', 2, '-1 minute')].join(',')}`,
  )
  await migrate(database.url)
  const mail = await readMail(database.db, machineId, {})
  expect(mail.map((item) => item.kind === 'envelope' && item.envelope.body)).toEqual([body, 'late'])
  const used = await database.db.mailboxUse.aggregate({ where: { machineId }, _sum: { messages: true, bytes: true } })
  expect(used._sum).toEqual({ messages: 2, bytes: 1400n })
  const acks = [{ to: fromMachine, stream: 'Alice>Bob', outboxEpoch: 'e1', upTo: 1 }]
  expect((await acknowledgeMail(database.db, [{ machineId, acks }])).get(machineId)).toHaveLength(2)
})
