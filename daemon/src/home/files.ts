/** Private files: mode 0600, written whole or not at all, in folders that only this user enters. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { RelayError } from '../errors.ts'

/** Replaces `path` by `text` so that a crash leaves the old file or the new one, never a part. */
export function writePrivate(path: string, text: string): void {
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  try {
    const file = openSync(draft, 'wx', 0o600)
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(draft, path)
    syncFolder(dirname(path))
  } catch (error) {
    rmSync(draft, { force: true })
    throw unwritable(path, error)
  }
}

/** Makes a rename or removal in `folder` last through a power cut; Windows has no such call and needs none. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * Makes `folder` if it is missing, checks that it is a folder of this user, and closes it to others.
 * Throws a RelayError that says what is in the way and what to do.
 */
export function ensurePrivateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOTDIR') throw unwritable(folder, error)
  }
  checkOwnFolder(folder)
  try {
    if (process.platform !== 'win32') chmodSync(folder, 0o700)
  } catch (error) {
    throw unwritable(folder, error)
  }
}

/**
 * Throws FORBIDDEN when a socket in a folder that others may write to (`/tmp/agent-relay-UID`) is in a folder that is not
 * this user's: whoever made it first would be told tokens and messages.
 */
export function checkSocketFolder(socket: string): void {
  const folder = dirname(socket)
  if (dirname(folder) === '/tmp' && existsSync(folder)) checkOwnFolder(folder)
}

/** Throws a RelayError unless `folder` is a real folder that belongs to this user. */
function checkOwnFolder(folder: string): void {
  let found: ReturnType<typeof lstatSync>
  try {
    found = lstatSync(folder)
    // Somebody else's link could lead anywhere, now or later; one's own is as good as the folder.
    if (found.isSymbolicLink() && found.uid === process.getuid?.()) found = lstatSync(`${folder}/.`)
  } catch (error) {
    throw unwritable(folder, error)
  }
  const uid = process.getuid?.()
  if (uid !== undefined && found.uid !== uid)
    throw new RelayError(
      'FORBIDDEN',
      `${folder} belongs to user ${found.uid} and you are user ${uid}: run as its owner, or set AGENT_RELAY_HOME to a folder of your own.`,
    )
  if (!found.isDirectory())
    throw new RelayError(
      'BAD_REQUEST',
      `${folder} is a file where Agent Relay needs a folder: move it away, or set AGENT_RELAY_HOME to another folder.`,
    )
}

/** The sentence for a path that the operating system does not let us use. */
export function unwritable(path: string, error: unknown): RelayError {
  const why: Record<string, string> = {
    EACCES: 'you have no permission there',
    EPERM: 'you have no permission there',
    EROFS: 'its file system is read-only',
    ENOSPC: 'its disk is full',
    EDQUOT: 'your disk quota is used up',
    ENOTDIR: 'a part of its path is a file',
    ENOENT: 'it does not exist',
  }
  const code = codeOf(error)
  const step =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'free some space and try again'
      : 'make it writable for you, or set AGENT_RELAY_HOME to another folder'
  return new RelayError(
    code === 'ENOSPC' || code === 'EDQUOT' ? 'DISK_FULL' : 'FORBIDDEN',
    `Cannot use ${path}: ${why[code] ?? (error instanceof Error ? error.message : String(error))}; ${step}.`,
    { cause: error },
  )
}

/** The operating system's code of an error, such as ENOENT; an empty text when it has none. */
export const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? ''
