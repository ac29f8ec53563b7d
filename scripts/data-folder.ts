/** The folder of what is made once: the embedded Postgres, the secret of sessions, and who runs on it now. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { OperatorError } from '#lib/operator-error.ts'

export type Running = {
  pid: number
  /** The process of server.ts. */
  serverPid: number
  url: string
  databaseUrl: string
}

const runningFile = (folder: string): string => path.join(folder, 'running.json')

/**
 * Makes the folder when missing and holds it until this process ends, however it ends: the lock is the operating system's.
 * Returns what the last holder had announced, when that one was killed and could not take it back.
 * @throws OperatorError ALREADY_RUNNING naming the holder, DATA_FOLDER when the folder cannot be used.
 */
export function holdDataFolder(folder: string): Running | undefined {
  try {
    // Postgres may run as another user, who must be able to pass through; everything inside is private by itself.
    mkdirSync(folder, { recursive: true, mode: 0o711 })
    const lock = new DatabaseSync(path.join(folder, 'lock'))
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    held = lock
  } catch (error) {
    const { errcode, code, message } = error as { errcode?: number; code?: string; message: string }
    if (errcode === 5) throw alreadyRunning(folder)
    throw new OperatorError(
      'DATA_FOLDER',
      `The data folder ${folder} cannot be used (${code === 'ERR_SQLITE_ERROR' ? message : code}): set RELAY_DATA_DIR to a folder of yours.`,
    )
  }
  const killed = whoRuns(folder)
  rmSync(runningFile(folder), { force: true })
  return killed
}

/** Kept from the garbage collector, which would close it. */
let held: DatabaseSync | undefined

function alreadyRunning(folder: string): OperatorError {
  const running = whoRuns(folder)
  const who = running ? `by process ${running.pid}, at ${running.url}` : 'by a start that is not ready yet'
  return new OperatorError(
    'ALREADY_RUNNING',
    `The data folder ${path.resolve(folder)} is in use ${who}: open that, or give this one a folder of its own, RELAY_DATA_DIR=.relay-2 PORT=3001 npm start`,
  )
}

/** Tells other commands where this control plane is; the file holds the database's password and is private. */
export function announceRunning(folder: string, running: Running): void {
  writeFileSync(runningFile(folder), `${JSON.stringify(running)}\n`, { mode: 0o600 })
}

export function forgetRunning(folder: string): void {
  rmSync(runningFile(folder), { force: true })
  held?.close()
}

/** The control plane that announced itself on this folder, or undefined. It may have been killed since. */
export function whoRuns(folder: string): Running | undefined {
  if (!existsSync(runningFile(folder))) return undefined
  return JSON.parse(readFileSync(runningFile(folder), 'utf8')) as Running
}

/** The secret that signs sessions: 256 random bits, made once, readable by this user only. */
export function keepAuthSecret(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  const file = path.join(folder, 'auth-secret')
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' })
  return readFileSync(file, 'utf8').trim()
}
