/**
 * A real Postgres for tests: one per run (lib/testing/global-setup.ts), with a migrated template that every caller clones.
 *
 *     let test: TestDatabase
 *     beforeAll(async () => { test = await createTestDatabase() })
 *     afterAll(() => test.drop())
 */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { createDb, type Db } from '#lib/db/client.ts'

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

export const templateName = 'template_migrated'

/** A database of its own with every migration applied, cloned in some 30 ms. `migrated: false` gives an empty one. */
export async function createTestDatabase({ migrated = true }: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const server = inject('postgresUrl')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await onServer(server, `CREATE DATABASE ${name} TEMPLATE ${migrated ? templateName : 'template0'} STRATEGY FILE_COPY`)
  const url = databaseUrl(server, name)
  const db = createDb(url, { poolSize: 10 })
  const drop = async () => {
    await db.$disconnect()
    await onServer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  }
  return { url, db, drop }
}

/** The URL of another database on the same server. */
export function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

export async function onServer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
