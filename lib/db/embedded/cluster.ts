/** The folder of the embedded Postgres: `settings.json` (port, password), `data`, `postgres.log`. Never deletes data. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { OperatorError } from '#lib/operator-error.ts'
import { type Account, asAccount, chooseAccount, giveTo, postgresEnv } from './account.ts'
import { type Binaries, findBinaries } from './binaries.ts'

export type Cluster = {
  folder: string
  data: string
  log: string
  port: number
  password: string
  account: Account
  postgres: string
}

type Settings = { port: number; password: string }

/**
 * Finds or makes the cluster below `folder`. A cluster is made beside its final name and renamed, so that a start that was
 * killed half way leaves nothing that looks like one.
 * @throws OperatorError NO_POSTGRES, POSTGRES_ROOT, DATABASE_FOLDER
 */
export async function prepareCluster(folder: string): Promise<Cluster> {
  const binaries = await findBinaries()
  makeFolder(folder)
  const account = chooseAccount(folder, [binaries.postgres, binaries.initdb])
  giveTo(account, folder)
  const data = path.join(folder, 'data')
  const settings = await readSettings(folder, data)
  if (existsSync(data)) checkData(data, binaries)
  else initialise(folder, binaries.initdb, account, settings.password)
  return { folder, data, log: path.join(folder, 'postgres.log'), ...settings, account, postgres: binaries.postgres }
}

/** Gives the cluster another port and remembers it; for when a stranger has taken the old one. */
export async function moveToFreePort(cluster: Cluster): Promise<Cluster> {
  const settings = { port: await freePort(), password: cluster.password }
  writeSettings(cluster.folder, settings)
  return { ...cluster, ...settings }
}

export const clusterUrl = ({ port, password }: Settings, database = 'postgres'): string =>
  `postgresql://postgres:${password}@127.0.0.1:${port}/${database}`

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o711 })
    chmodSync(folder, 0o700)
  } catch (cause) {
    throw new OperatorError(
      'DATABASE_FOLDER',
      `The folder ${folder} of the embedded Postgres cannot be made or used (${(cause as NodeJS.ErrnoException).code}): set RELAY_DATA_DIR to a folder of yours, or set DATABASE_URL.`,
      { cause },
    )
  }
}

async function readSettings(folder: string, data: string): Promise<Settings> {
  const file = path.join(folder, 'settings.json')
  if (existsSync(file)) {
    try {
      const { port, password } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Settings>
      if (typeof port === 'number' && typeof password === 'string') return { port, password }
    } catch {
      // said below, with the file's name
    }
  }
  if (existsSync(data))
    throw new OperatorError(
      'DATABASE_FOLDER',
      `${file} is missing or broken, and it holds the password of the database beside it: restore it from a backup, or set DATABASE_URL. Nothing was changed.`,
    )
  const settings = { port: await freePort(), password: randomBytes(24).toString('hex') }
  writeSettings(folder, settings)
  return settings
}

function writeSettings(folder: string, settings: Settings): void {
  const file = path.join(folder, 'settings.json')
  writeFileSync(`${file}.new`, `${JSON.stringify(settings)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

function checkData(data: string, { postgres }: Binaries): void {
  const file = path.join(data, 'PG_VERSION')
  const version = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
  const aside = `restore it from a backup, or move it away (mv "${data}" "${data}.old") to begin with an empty database. Nothing was changed.`
  if (!version)
    throw new OperatorError(
      'DATABASE_FOLDER',
      `${data} is no Postgres data folder any more (PG_VERSION is missing${readdirSync(data).length === 0 ? ' and it is empty' : ''}): ${aside}`,
    )
  const { stdout } = spawnSync(postgres, ['--version'], { encoding: 'utf8', env: postgresEnv })
  const ours = /\d+/.exec(stdout ?? '')?.[0]
  if (ours && version !== ours)
    throw new OperatorError(
      'DATABASE_FOLDER',
      `${data} was made by Postgres ${version}, and this release brings Postgres ${ours}: start the release that made it and dump its data, or ${aside}`,
    )
}

function initialise(folder: string, initdb: string, account: Account, password: string): void {
  const making = path.join(folder, 'data.making')
  rmSync(making, { recursive: true, force: true })
  const passwordFile = path.join(folder, 'password.tmp')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  giveTo(account, passwordFile)
  const flags = ['-D', making, '-U', 'postgres', '--encoding=UTF8', '--locale=C', `--pwfile=${passwordFile}`]
  const command = asAccount(account, initdb, [...flags, '--auth=scram-sha-256', '--no-instructions', '--no-sync'])
  const made = spawnSync(command.file, command.args, {
    ...command.options,
    encoding: 'utf8',
    env: postgresEnv,
  })
  rmSync(passwordFile)
  if (made.status !== 0)
    throw new OperatorError(
      'DATABASE_FOLDER',
      `No database could be made in ${folder}: ${lastLine(made.stderr) || made.error?.message}. Free space or rights there, set RELAY_DATA_DIR to another folder, or set DATABASE_URL.`,
    )
  renameSync(making, path.join(folder, 'data'))
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}

/** Whether nothing listens on the port of this computer's loopback address. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
