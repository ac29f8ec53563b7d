import { expect, test } from 'vitest'
import { schemaDiff } from './schema-diff.ts'

test('prisma/schema.prisma and the migrations agree: otherwise run npm run db:migration -- name', async () => {
  await expect(schemaDiff()).resolves.toBe('')
}, 60_000)
