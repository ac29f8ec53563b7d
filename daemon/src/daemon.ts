/** The composition root of the daemon: the only file that knows everybody. */
import { performance } from 'node:perf_hooks'
import type { LocalResults } from '@agent-relay/protocol/local'
import { selfName } from './core/state.ts'
import type { Effect } from './core/turn.ts'
import { RelayError } from './errors.ts'
import { readEnvironment } from './home/env.ts'
import { openHome } from './home/home.ts'
import { lockHome } from './home/lock.ts'
import { listenLocally } from './local/server.ts'
import { type Log, openLog } from './log.ts'
import type { RunHost } from './run-host.ts'
import { createService } from './service/service.ts'
import { openSession } from './service/session.ts'
import { machineViews } from './service/views.ts'
import { openStore } from './store/store.ts'

/** The version that `status`, `hello` and the control plane see; the same as in package.json, which a test checks. */
export const DAEMON_VERSION = '0.1.0'

export type Daemon = {
  readonly home: string
  /** Stops everything that the daemon started; resolves when the home may be used again. */
  stop(): Promise<void>
  /** Resolves after `stop`, whoever asked for it. */
  readonly stopped: Promise<void>
}

export type DaemonOptions = {
  home?: string
  /** Also write the log to stderr. */
  isForeground?: boolean
  createRunHost: (log: Log) => RunHost
}

/** Starts the daemon of this home in this process. Throws DAEMON_RUNNING naming the pid, or what is wrong with the home. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  process.umask(0o077)
  const environment = readEnvironment()
  const paths = openHome(options.home ?? environment.home)
  const lock = lockHome(paths)
  try {
    const log = openLog(paths.log, environment.logLevel, options.isForeground === true)
    const store = openStore(paths.db)
    if (store.movedAside !== undefined)
      log.error(`relay.db was broken and was moved to ${store.movedAside}: what was queued in it was not sent`)
    const readyAt = performance.now()
    const runHost = options.createRunHost(log)
    let stopping: Promise<void> | undefined
    let announce: () => void = () => undefined
    const stopped = new Promise<void>((resolve) => {
      announce = resolve
    })

    const service = createService({
      paths,
      store,
      log,
      runHost,
      outward: (effect: Effect) => void effect,
      restored: () => undefined,
      status,
      reload: async () => undefined,
      shutdown: () => void stop(),
    })
    const server = await listenLocally({
      path: paths.socket,
      version: DAEMON_VERSION,
      log,
      open: (connection, proof) => openSession(service, connection, proof),
    })

    function status(): LocalResults['status'] {
      const state = service.engine.state()
      return {
        version: DAEMON_VERSION,
        pid: process.pid,
        home: paths.home,
        uptimeMs: performance.now() - readyAt,
        linked: null,
        control: { state: 'unlinked', latencyMs: null, reason: null },
        machines: machineViews(state, null),
        queued: state.outCount,
        failed: store.read.failedSince(service.engine.now() - 86_400_000),
        health: [],
      }
    }

    function stop(): Promise<void> {
      stopping ??= (async () => {
        log.info('stopping')
        await runHost.stop()
        service.stop()
        await server.close()
        store.close()
        lock.release()
        announce()
      })()
      return stopping
    }

    log.info('ready', { pid: process.pid, version: DAEMON_VERSION, machine: selfName(service.engine.state()) })
    return { home: paths.home, stop, stopped }
  } catch (error) {
    lock.release()
    throw error
  }
}

export const noRunHost = (): RunHost => ({
  start() {
    throw new RelayError('UNAVAILABLE', 'This daemon hosts no programs.')
  },
  stop: async () => undefined,
})
