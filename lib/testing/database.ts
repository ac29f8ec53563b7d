/**
 * A real Postgres for tests: one per run (lib/testing/global-setup.ts), with a migrated template that every caller clones.
 *
 *     let test: TestDatabase
 *     beforeAll(async () => { test = await createTestDatabase() })
 *     afterAll(() => test.drop())
 */
import { inject } from 'vitest'
import { createDb, type Db } from '#lib/db/client.ts'
import { cloneDatabase, templateName } from './clone-database.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string
  }
}

export type TestDatabase = {
  /** For programs that take a DATABASE_URL. */
  url: string
  db: Db
  /** Disconnects `db` and removes the database, also under connections that are still open. */
  drop(): Promise<void>
}

/** A database of its own with every migration applied. `migrated: false` gives an empty one. */
export async function createTestDatabase({ migrated = true }: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const clone = await cloneDatabase(inject('postgresUrl'), migrated ? templateName : 'template0')
  const db = createDb(clone.url, { poolSize: 10 })
  const drop = async () => {
    await db.$disconnect()
    await clone.drop()
  }
  return { url: clone.url, db, drop }
}
