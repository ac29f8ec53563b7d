/** Applies prisma/migrations with nothing but `pg`, and keeps Prisma's own books, so `prisma migrate deploy` works as well. */
import { createHash, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { OperatorError } from '#lib/operator-error.ts'

/** The number that Prisma's own migrate locks, so that the two exclude each other. */
const prismaLock = 72707369
/** Another node may be applying a long migration. */
const lockWaitMs = 120_000

const table = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`

type Migration = { name: string; sql: string; checksum: string }
type Applied = { migration_name: string; checksum: string; finished_at: Date | null }

/**
 * Brings the database to the newest migration, each in its own transaction, and returns the names that it applied.
 * Several nodes may call it at once: one does the work, the others wait for it.
 * @throws OperatorError DATABASE_NEWER, MIGRATION_EDITED, MIGRATION_UNFINISHED, MIGRATION_FAILED
 */
export async function migrate(url: string, folder = 'prisma/migrations'): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    await client.query(`SET lock_timeout = ${lockWaitMs}`)
    await client.query('SELECT pg_advisory_lock($1)', [prismaLock])
    await client.query(table)
    const { rows } = await client.query<Applied>(
      'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    )
    const known = readMigrations(folder)
    const missing = pending(known, rows)
    for (const migration of missing) await apply(client, migration)
    return missing.map(({ name }) => name)
  } finally {
    await client.end()
  }
}

function readMigrations(folder: string): Migration[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const sql = readFileSync(path.join(folder, name, 'migration.sql'), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function pending(known: Migration[], applied: Applied[]): Migration[] {
  const byName = new Map(known.map((migration) => [migration.name, migration]))
  for (const row of applied) {
    const migration = byName.get(row.migration_name)
    if (!migration)
      throw new OperatorError(
        'DATABASE_NEWER',
        `The database has the migration ${row.migration_name}, which this release does not know: a newer release has used it. Run that release, or restore a backup made before it.`,
      )
    if (!row.finished_at)
      throw new OperatorError(
        'MIGRATION_UNFINISHED',
        `The migration ${row.migration_name} began and did not finish. Repair the database, then mark it with: npx prisma migrate resolve`,
      )
    if (row.checksum !== migration.checksum)
      throw new OperatorError(
        'MIGRATION_EDITED',
        `The migration ${row.migration_name} was edited after the database had applied it. Restore the file, and write the change with: npm run db:migration -- name`,
      )
  }
  const done = new Set(applied.map((row) => row.migration_name))
  return known.filter(({ name }) => !done.has(name))
}

async function apply(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(sql)
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
      [randomUUID(), checksum, name],
    )
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw new OperatorError(
      'MIGRATION_FAILED',
      `The migration ${name} failed and was undone: ${(error as Error).message}. The database is as it was before.`,
      { cause: error },
    )
  }
}
