/** Postgres refuses to run as root, which is what most containers run as. Who runs it instead? */
import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { OperatorError } from '#lib/operator-error.ts'

/**
 * `self`: we are not root. `nobody`: drops to an unprivileged uid that owns the folder. `namespace`: in a user namespace
 * that shows root as uid 1000, for folders that no other user can reach.
 */
export type Account = { kind: 'self' } | { kind: 'nobody'; uid: number; gid: number } | { kind: 'namespace' }

const nobody = { kind: 'nobody', uid: 65534, gid: 65534 } as const
const namespaceCommand = ['unshare', '-U', '--map-user=1000'] as const

/**
 * Chooses for a data folder (and the folders of the executables); an existing folder keeps the one that made it.
 * @throws OperatorError POSTGRES_ROOT when root has no way to run it.
 */
export function chooseAccount(folder: string, executables: string[]): Account {
  if (process.getuid?.() !== 0) return { kind: 'self' }
  const data = path.join(folder, 'data')
  const owner = existsSync(data) ? statSync(data).uid : undefined
  const reachable = [folder, ...executables].every(openToOthers)
  if (reachable && (owner === undefined || owner === nobody.uid)) return nobody
  if (owner !== nobody.uid && namespacesWork()) return { kind: 'namespace' }
  throw new OperatorError(
    'POSTGRES_ROOT',
    `Postgres refuses to run as root, and no other user can reach ${folder}: run npm start as an ordinary user, move the project to a folder that all users can enter, or set DATABASE_URL.`,
  )
}

/** Nothing of ours: a PGPORT or PGOPTIONS of the person's shell must not reach it, and it writes its log in English and UTC. */
export const postgresEnv = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' } as unknown as NodeJS.ProcessEnv

/** The command and options to start an executable as that account. */
export function asAccount(account: Account, file: string, args: string[]) {
  const [command, ...flags] = namespaceCommand
  if (account.kind === 'namespace') return { file: command, args: [...flags, file, ...args], options: {} }
  const options = account.kind === 'nobody' ? { uid: account.uid, gid: account.gid } : {}
  return { file, args, options }
}

/** Hands a file or folder to the account that has to use it. */
export function giveTo(account: Account, file: string): void {
  if (account.kind === 'nobody') chownSync(file, account.uid, account.gid)
}

/** Whether everybody may pass through the folder's parents, which a uid without rights needs. */
function openToOthers(folder: string): boolean {
  for (let parent = path.dirname(path.resolve(folder)); ; parent = path.dirname(parent)) {
    if (existsSync(parent) && (statSync(parent).mode & 0o001) === 0) return false
    if (parent === path.dirname(parent)) return true
  }
}

function namespacesWork(): boolean {
  const [command, ...flags] = namespaceCommand
  return spawnSync(command, [...flags, 'true'], { stdio: 'ignore', env: postgresEnv }).status === 0
}
