/** One Postgres process on a prepared cluster: start or adopt, ready, stop. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { OperatorError } from '#lib/operator-error.ts'
import { asAccount, giveTo, postgresEnv } from './account.ts'
import { type Cluster, clusterUrl } from './cluster.ts'
import { isAlive, isPostgres, untilGone } from './process.ts'

export type Postmaster = { pid: number; exited: Promise<void> }

/** pg_ctl polls its pid file too: Postgres has no other way to say that it is ready. */
const pollMs = 20
/** Crash recovery of a big database takes its time; a process that died is noticed at once. */
const readyWithinMs = 120_000
const stopWithinMs = 20_000
const logBytes = 8 * 1024 * 1024

/**
 * Starts Postgres and returns when it takes connections. It has its own process group: Ctrl-C reaches us, not it.
 * @throws OperatorError DATABASE_BROKEN with Postgres's own reason; the data stays as it is.
 */
export async function startPostmaster(cluster: Cluster, settings: Record<string, string>): Promise<Postmaster> {
  const from = rotateLog(cluster)
  const log = openSync(cluster.log, 'a', 0o600)
  giveTo(cluster.account, cluster.log)
  const options = { port: `${cluster.port}`, listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings }
  const flags = Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const command = asAccount(cluster.account, cluster.postgres, ['-D', cluster.data, ...flags])
  const child = spawn(command.file, command.args, {
    ...command.options,
    env: postgresEnv,
    stdio: ['ignore', log, log],
    detached: true,
    cwd: path.parse(cluster.data).root,
  })
  closeSync(log)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  await untilReady(cluster, child, from)
  return { pid: child.pid as number, exited }
}

/**
 * A Postgres of this cluster that outlived the process that started it, or undefined. A pid file whose process is gone, or
 * is something else by now, is removed.
 * @throws OperatorError DATABASE_BUSY when it runs and does not answer.
 */
export async function findSurvivor(cluster: Cluster): Promise<Postmaster | undefined> {
  const file = path.join(cluster.data, 'postmaster.pid')
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0
  if (!pid) return undefined
  if (!isPostgres(pid)) {
    rmSync(file)
    return undefined
  }
  for (let waitedMs = 0; isAlive(pid) && waitedMs < 10_000; waitedMs += 100) {
    if (await answers(cluster)) return { pid, exited: untilGone(pid) }
    await delay(100)
  }
  if (!isAlive(pid)) return undefined
  throw new OperatorError(
    'DATABASE_BUSY',
    `A Postgres (pid ${pid}) runs on ${cluster.data} and does not answer: end it with \`kill -INT ${pid}\` and start again.`,
  )
}

/** Ends it the fast way (transactions rolled back, everything on disk), and the hard way after 20 s. */
export async function stopPostmaster({ pid, exited }: Postmaster): Promise<void> {
  if (!isAlive(pid)) return
  process.kill(pid, 'SIGINT')
  const stuck = new AbortController()
  const hard = delay(stopWithinMs, undefined, { signal: stuck.signal }).then(
    () => process.kill(pid, 'SIGQUIT'),
    () => {},
  )
  await exited
  stuck.abort()
  await hard
}

async function untilReady(cluster: Cluster, child: ChildProcess, logFrom: number): Promise<void> {
  let failure: string | undefined
  child.once('error', (error) => {
    failure = error.message
  })
  child.once('exit', () => {
    failure = reasonIn(cluster.log, logFrom)
  })
  const file = path.join(cluster.data, 'postmaster.pid')
  const deadline = performance.now() + readyWithinMs
  while (failure === undefined) {
    if (existsSync(file)) {
      const lines = readFileSync(file, 'utf8').split('\n')
      if (Number(lines[0]) === child.pid && lines[7]?.startsWith('ready')) return
    }
    if (performance.now() > deadline) {
      child.kill('SIGQUIT')
      failure = `not ready within ${readyWithinMs / 1000} s`
    }
    await delay(pollMs)
  }
  throw new OperatorError(
    'DATABASE_BROKEN',
    `The database in ${cluster.data} does not start: ${failure}. Nothing was deleted. Its log is ${cluster.log}; restore the folder from a backup, or move it away (mv "${cluster.data}" "${cluster.data}.broken") to begin with an empty database.`,
  )
}

/** What Postgres gave as the reason, without its prefix of time and pid. */
function reasonIn(log: string, from: number): string {
  const text = readFileSync(log).subarray(from).toString('utf8')
  const fatal = [...text.matchAll(/(?:FATAL|PANIC):\s*(.*)/g)].map((match) => match[1])
  return (fatal[0] ?? text.trim().split('\n').at(-1)) || 'it ended without a word'
}

/** Keeps the log bounded, and says where this start's lines begin. */
function rotateLog({ log }: Cluster): number {
  const size = existsSync(log) ? statSync(log).size : 0
  if (size < logBytes) return size
  renameSync(log, `${log}.old`)
  return 0
}

async function answers(cluster: Cluster): Promise<boolean> {
  const client = new pg.Client({ connectionString: clusterUrl(cluster), connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory')
    return path.resolve(rows[0]?.data_directory ?? '') === path.resolve(cluster.data)
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}
