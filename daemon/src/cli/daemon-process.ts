/** Starting the daemon of this home as a process of its own, and knowing that it is ready. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, watch } from 'node:fs'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { RelayError } from '../errors.ts'
import { childEnvironment } from '../home/env.ts'
import { openHome } from '../home/home.ts'
import type { HomePaths } from '../home/paths.ts'

/** A cold disk and a large outbox; ready is ≤ 200 ms on an ordinary start. */
const READY_MS = 20_000
/** Some file systems do not tell of new files, so look now and then as well. */
const LOOK_MS = 100

/** The daemon's program: beside this bundle, or its source when commands run from source. */
export function daemonFile(): string {
  const built = fileURLToPath(new URL('./daemon.js', import.meta.url))
  return existsSync(built) ? built : fileURLToPath(new URL('../daemon.ts', import.meta.url))
}

/** `node:sqlite` still calls itself experimental on Node 22; that is our choice and nobody else's worry. */
const nodeFlags = ['--disable-warning=ExperimentalWarning']

/** Makes sure that a daemon answers on this home. Throws a RelayError with the daemon's own last word when it does not come up. */
export async function ensureDaemon(): Promise<{ paths: HomePaths; isNew: boolean }> {
  const paths = openHome()
  if (await answers(paths.socket)) return { paths, isNew: false }
  const log = openSync(paths.log, 'a', 0o600)
  const before = fstatSync(log).size
  const child = spawn(process.execPath, [...nodeFlags, daemonFile()], {
    cwd: paths.home,
    env: childEnvironment({ AGENT_RELAY_HOME: paths.home }) as NodeJS.ProcessEnv,
    detached: true,
    stdio: ['ignore', log, log],
  })
  child.unref()
  try {
    await ready(child, paths)
  } catch (error) {
    throw new RelayError(
      'DAEMON_DOWN',
      lastWords(paths.log, before) ?? `The daemon did not start: ${(error as Error).message}. Next: agent-relay logs`,
    )
  } finally {
    closeSync(log)
  }
  return { paths, isNew: true }
}

/** Whether a daemon listens there. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function ready(child: ChildProcess, paths: HomePaths): Promise<void> {
  return new Promise((resolve, reject) => {
    const watcher = watch(paths.runtime ?? paths.home, look)
    const timer = setInterval(look, LOOK_MS)
    const limit = setTimeout(() => done(new Error(`it was not ready after ${READY_MS / 1000} s`)), READY_MS)
    child.once('error', done)
    child.once('exit', (code, signal) => {
      void answers(paths.socket).then((isUp) => done(isUp ? undefined : new Error(`it ended with ${signal ?? code}`)))
    })

    let isLooking = false
    async function look(): Promise<void> {
      if (isLooking) return
      isLooking = true
      // Another command may have started one in the same moment: then ours gives up by itself, and is waited for,
      // or it would take the home when that one is stopped.
      if (isOwn(child, paths) && (await answers(paths.socket))) done()
      isLooking = false
    }
    function done(error?: Error): void {
      watcher.close()
      clearInterval(timer)
      clearTimeout(limit)
      child.removeAllListeners()
      if (error) reject(error)
      else resolve()
    }
  })
}

/** A daemon writes its pid once the home is its own. */
function isOwn(child: ChildProcess, paths: HomePaths): boolean {
  try {
    return Number(readFileSync(paths.pid, 'utf8')) === child.pid
  } catch {
    return false
  }
}

/** What a daemon that did not start said last: plain text is for people, JSON lines are its log. */
function lastWords(log: string, from: number): string | undefined {
  const fd = openSync(log, 'r')
  try {
    const buffer = Buffer.alloc(64 * 1024)
    const text = buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, from)).toString('utf8')
    const line = text
      .split('\n')
      .filter((candidate) => /^agent-relay: /.test(candidate))
      .at(-1)
    return line?.replace(/^agent-relay: /, '')
  } finally {
    closeSync(fd)
  }
}
