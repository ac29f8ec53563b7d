/**
 * One daemon per home. The lock is the operating system's, on daemon.lock, taken through SQLite because Node has no call
 * for it: it ends with its process however that ends, so a pid left behind or given to another program blocks nobody.
 */
import { readFileSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { RelayError } from '../errors.ts'
import { unwritable, writePrivate } from './files.ts'
import type { HomePaths } from './paths.ts'

/** Long enough for a command that only looked whether the lock is held to let go of it again. */
const LOOK_MS = 250

export type HomeLock = { release(): void }

/** Takes the home for this process and writes daemon.pid. Throws DAEMON_RUNNING naming the pid of the daemon that has it. */
export function lockHome(paths: HomePaths): HomeLock {
  const database = take(paths, LOOK_MS)
  if (database === undefined) {
    const pid = readPid(paths)
    throw new RelayError(
      'DAEMON_RUNNING',
      `A daemon${pid === undefined ? '' : ` (pid ${pid})`} already runs on ${paths.home}: use it, or stop it with: agent-relay down`,
      { details: { pid: pid ?? null } },
    )
  }
  try {
    writePrivate(paths.pid, `${process.pid}\n`)
  } catch (error) {
    database.close()
    throw error
  }
  let isHeld = true
  return {
    release() {
      if (!isHeld) return
      isHeld = false
      rmSync(paths.pid, { force: true })
      database.close()
    },
  }
}

/** The pid of the daemon that holds this home, or undefined when none does, whatever daemon.pid says. */
export function lockHolder(paths: HomePaths): number | undefined {
  const database = take(paths, 0)
  if (database === undefined) return readPid(paths)
  database.close()
  return undefined
}

function take(paths: HomePaths, timeoutMs: number): DatabaseSync | undefined {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(paths.lock, { timeout: timeoutMs })
    database.exec('BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database?.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw unwritable(paths.lock, error)
  }
}

const SQLITE_BUSY = 5

function readPid(paths: HomePaths): number | undefined {
  try {
    const pid = Number(readFileSync(paths.pid, 'utf8').trim())
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}
