import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DomainError } from '#lib/errors.ts'
import { onServer } from '#lib/testing/clone-database.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { migrate } from './migrate.ts'
import { lockOrg, withTransaction } from './transaction.ts'

let base: TestDatabase
beforeAll(async () => {
  base = await createTestDatabase()
})
afterAll(() => base.drop())

const newOrg = (slug: string) => base.db.organization.create({ data: { kind: 'team', slug, name: slug } })

describe('the audit trail', () => {
  test('takes rows and refuses to change, delete or truncate them', async () => {
    const { id: orgId } = await newOrg('audited')
    const entry = {
      orgId,
      actorKind: 'system',
      actorLabel: 'test',
      action: 'org.create',
      targetKind: 'org',
      targetId: orgId,
      targetLabel: 'x',
    }
    await base.db.auditEntry.create({ data: entry })
    await expect(base.db.auditEntry.updateMany({ data: { action: 'org.other' } })).rejects.toThrow('append-only')
    await expect(base.db.auditEntry.deleteMany()).rejects.toThrow('append-only')
    await expect(onServer(base.url, 'TRUNCATE "AuditEntry"')).rejects.toThrow('append-only')
    await expect(base.db.auditEntry.findMany({ where: { orgId } })).resolves.toMatchObject([{ action: 'org.create' }])
  })
})

describe('withTransaction', () => {
  test('undoes everything when its function throws', async () => {
    const failing = withTransaction(base.db, async (tx) => {
      await tx.organization.create({ data: { kind: 'team', slug: 'undone', name: 'Undone' } })
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    await expect(base.db.organization.findUnique({ where: { slug: 'undone' } })).resolves.toBeNull()
  })

  test('inside another transaction joins it', async () => {
    const seen = await withTransaction(base.db, async (tx) => {
      await tx.organization.create({ data: { kind: 'team', slug: 'joined', name: 'Joined' } })
      return withTransaction(tx, (inner) => inner.organization.count({ where: { slug: 'joined' } }))
    })
    expect(seen).toBe(1)
  })

  test('runs a deadlocked transaction again', async () => {
    const [a, b] = await Promise.all([newOrg('dead-a'), newOrg('dead-b')])
    const bothHoldOne = Promise.withResolvers<void>()
    let holding = 0
    const lockInOrder = (first: string, second: string) =>
      withTransaction(base.db, async (tx) => {
        await lockOrg(tx, first)
        if (++holding === 2) bothHoldOne.resolve()
        await bothHoldOne.promise
        await lockOrg(tx, second)
      })
    await Promise.all([lockInOrder(a.id, b.id), lockInOrder(b.id, a.id)])
    // The one that was ended ran again; now and then it meets the other once more.
    expect(holding).toBeGreaterThanOrEqual(3)
  })
})

describe('lockOrg', () => {
  test('makes read-then-write safe for twenty at once', async () => {
    const { id } = await newOrg('counted')
    const grow = () =>
      withTransaction(base.db, async (tx) => {
        await lockOrg(tx, id)
        const { rosterVersion } = await tx.organization.findUniqueOrThrow({ where: { id } })
        await tx.organization.update({ where: { id }, data: { rosterVersion: rosterVersion + 1n } })
      })
    await Promise.all(Array.from({ length: 20 }, grow))
    await expect(base.db.organization.findUnique({ where: { id } })).resolves.toMatchObject({ rosterVersion: 20n })
  })

  test('of an unknown organization is not found', async () => {
    const locking = withTransaction(base.db, (tx) => lockOrg(tx, '01890000-0000-7000-8000-000000000000'))
    await expect(locking).rejects.toThrow(DomainError)
  })
})

describe('migrate', () => {
  let folder: string
  let fresh: TestDatabase
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'agent-relay-migrations-'))
    cpSync('prisma/migrations', folder, { recursive: true })
    fresh = await createTestDatabase({ migrated: false })
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await fresh.drop()
  })

  test('run by five nodes at once applies every migration exactly once', async () => {
    const applied = await Promise.all(Array.from({ length: 5 }, () => migrate(fresh.url, folder)))
    expect(applied.flat()).toEqual(readdirSync('prisma/migrations').filter((name) => /^\d{14}_/.test(name)))
    await expect(fresh.db.organization.count()).resolves.toBe(0)
  })

  test('undoes a failing migration and says so', async () => {
    const broken = addMigration('99990101000000_broken', 'CREATE TABLE half (id int); SELECT nonsense;')
    await expect(migrate(fresh.url, folder)).rejects.toMatchObject({ code: 'MIGRATION_FAILED' })
    await expect(onServer(fresh.url, 'SELECT * FROM half')).rejects.toThrow('does not exist')
    rmSync(broken, { recursive: true })
  })

  test('refuses a migration that was edited after it was applied', async () => {
    const edited = addMigration('99990102000000_edited', 'SELECT 1;')
    await expect(migrate(fresh.url, folder)).resolves.toEqual(['99990102000000_edited'])
    addMigration('99990102000000_edited', 'SELECT 2;')
    await expect(migrate(fresh.url, folder)).rejects.toMatchObject({ code: 'MIGRATION_EDITED' })
    rmSync(edited, { recursive: true })
  })

  test('refuses a database that a newer release has used', async () => {
    await expect(migrate(fresh.url, folder)).rejects.toMatchObject({ code: 'DATABASE_NEWER' })
  })

  const addMigration = (name: string, sql: string): string => {
    mkdirSync(path.join(folder, name), { recursive: true })
    writeFileSync(path.join(folder, name, 'migration.sql'), sql)
    return path.join(folder, name)
  }
})
