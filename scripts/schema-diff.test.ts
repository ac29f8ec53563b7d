import { expect, test } from 'vitest'
import { readSchema, schemaDiff } from './schema-diff.ts'

test('prisma/schema.prisma and the migrations agree: otherwise run npm run db:migration -- name', async () => {
  await expect(schemaDiff()).resolves.toBe('')
}, 60_000)

test('a change of the partitioned mailbox is noticed, its partitions are not', async () => {
  const changed = readSchema()
    .replace('@@index([machineId, stream, seq])', '@@index([machineId, seq])')
    .replace('outboxEpoch String?', 'outboxEpoch String')
  const diff = await schemaDiff(changed)
  expect(diff).toContain('CREATE INDEX "MailboxMessage_machineId_seq_idx"')
  expect(diff).toContain('ALTER COLUMN "outboxEpoch" SET NOT NULL')
  expect(diff).not.toMatch(/MailboxMessage_\d/)
}, 60_000)
