/** Opening relay.db: durable settings, schema steps, and what happens with a file that is newer or broken. */
import { randomBytes } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { RelayError } from '../errors.ts'
import { STEPS } from './schema.ts'

export type Opened = { db: DatabaseSync; outboxEpoch: string; movedAside: string | undefined }

/**
 * Opens the file or makes it. A broken one is moved aside and a fresh one with another outbox epoch takes its place, so that
 * no message of the new one is mistaken for one of the old. Throws VERSION_UNSUPPORTED for a file of a newer version and
 * DISK_FULL when there is no room.
 */
export function openDatabase(path: string): Opened {
  try {
    return { ...open(path), movedAside: undefined }
  } catch (error) {
    if (!isBroken(error)) throw explain(path, error)
  }
  const aside = `${path}.broken-${new Date().toISOString().replace(/[:.]/g, '-')}`
  renameSync(path, aside)
  for (const suffix of ['-wal', '-shm']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  return { ...open(path), movedAside: aside }
}

function open(path: string): { db: DatabaseSync; outboxEpoch: string } {
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON',
    )
    // The page cache holds the hot ends of the indexes; a longer log means fewer checkpoints under load.
    db.exec('PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY')
    migrate(db, path)
    // A damaged page shows when it is read: look at the small tables and the structure of the rest now, not later.
    db.prepare('SELECT count(*) FROM agent').get()
    db.prepare('SELECT n FROM message ORDER BY n DESC LIMIT 1').get()
    return { db, outboxEpoch: outboxEpochOf(db) }
  } catch (error) {
    db.close()
    throw error
  }
}

function migrate(db: DatabaseSync, path: string): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version > STEPS.length)
    throw new RelayError(
      'VERSION_UNSUPPORTED',
      `${path} was written by a newer agent-relay (schema ${version}, this one knows ${STEPS.length}): install the newer version again.`,
    )
  for (let step = version; step < STEPS.length; step++)
    db.exec(`BEGIN IMMEDIATE; ${STEPS[step]}; PRAGMA user_version = ${step + 1}; COMMIT`)
}

function outboxEpochOf(db: DatabaseSync): string {
  const row = db.prepare("SELECT value FROM meta WHERE key = 'outbox_epoch'").get() as { value: string } | undefined
  if (row !== undefined) return row.value
  const made = randomBytes(8).toString('hex')
  db.prepare("INSERT INTO meta (key, value) VALUES ('outbox_epoch', ?)").run(made)
  return made
}

const codeOf = (error: unknown): number => ((error as { errcode?: number }).errcode ?? 0) & 0xff

/** SQLITE_CORRUPT and SQLITE_NOTADB, also as said by the full-text module. */
export const isBroken = (error: unknown): boolean => codeOf(error) === 11 || codeOf(error) === 26

/** An error of SQLite as one sentence: a full disk, an unreadable file, or what SQLite says. */
export function explain(path: string, error: unknown): RelayError {
  if (error instanceof RelayError) return error
  // SQLITE_FULL, and SQLITE_IOERR which a full disk also gives while the log grows.
  const isFull = codeOf(error) === 13 || codeOf(error) === 10
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
