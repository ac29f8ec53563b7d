/** Opening relay.db: durable settings, schema steps, and what happens with a file that is newer or damaged. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { RelayError } from '../errors.ts'
import { STEPS } from './schema.ts'

/** Opens the file or makes it. Throws VERSION_UNSUPPORTED for one of a newer version, and else what SQLite throws. */
export function createDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    // Before anything is written: a newer file stays as it is.
    const version = versionOf(db, path)
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON',
    )
    // The page cache holds the hot ends of the indexes; a longer log means fewer checkpoints under load.
    db.exec('PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY')
    migrate(db, version)
    // A damaged page shows when it is read: look at the small tables and the structure of the rest now, not later.
    db.prepare('SELECT count(*) FROM agent').get()
    newestIn(db)
    if (outboxEpochOf(db) === undefined)
      db.prepare("INSERT INTO meta (key, value) VALUES ('outbox_epoch', ?)").run(randomBytes(8).toString('hex'))
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** The place of the newest message; 0 when there is none. */
export const newestIn = (db: DatabaseSync): number =>
  (db.prepare('SELECT coalesce(max(n), 0) AS n FROM message').get() as { n: number }).n

export const outboxEpochOf = (db: DatabaseSync): string | undefined =>
  (db.prepare("SELECT value FROM meta WHERE key = 'outbox_epoch'").get() as { value: string } | undefined)?.value

function versionOf(db: DatabaseSync, path: string): number {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version <= STEPS.length) return version
  throw new RelayError(
    'VERSION_UNSUPPORTED',
    `${path} was written by a newer agent-relay (schema ${version}, this one knows ${STEPS.length}): install the newer version again.`,
  )
}

function migrate(db: DatabaseSync, version: number): void {
  for (let step = version; step < STEPS.length; step++)
    db.exec(`BEGIN IMMEDIATE; ${STEPS[step]}; PRAGMA user_version = ${step + 1}; COMMIT`)
}

const codeOf = (error: unknown): number => (error as { errcode?: number }).errcode ?? 0

/** SQLITE_IOERR_READ and SHORT_READ: the disk does not give back what is there. */
const UNREADABLE = [266, 522]

/** SQLITE_CORRUPT and SQLITE_NOTADB, also as said by the full-text module, and a file that ends too early. */
export const isBroken = (error: unknown): boolean =>
  [11, 26].includes(codeOf(error) & 0xff) || UNREADABLE.includes(codeOf(error))

/** An error of SQLite as one sentence: a full disk, an unreadable file, or what SQLite says. */
export function explain(path: string, error: unknown): RelayError {
  if (error instanceof RelayError) return error
  if (isBroken(error))
    return new RelayError(
      'STORE_BROKEN',
      `${path} is damaged and is being replaced, so nothing was queued: send again, and see agent-relay status for what was lost.`,
      { cause: error },
    )
  // SQLITE_FULL, and SQLITE_IOERR which a full disk also gives while the log grows.
  const isFull = [13, 10].includes(codeOf(error) & 0xff)
  return isFull
    ? new RelayError(
        'DISK_FULL',
        `The disk of ${path} is full or fails, so nothing was queued: free some space and send again.`,
        { cause: error },
      )
    : new RelayError(
        'STORE_BROKEN',
        `${path} cannot be used (${error instanceof Error ? error.message : error}): see agent-relay logs`,
        { cause: error },
      )
}

/** Whether there is anything at this path; a database in memory never is. */
export const isThere = (path: string): boolean => path !== ':memory:' && existsSync(path)
