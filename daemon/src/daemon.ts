/**
 * The daemon: run as a process of its own by `agent-relay up`, and the only file that knows everybody. With `--foreground` the
 * log also goes to stderr. It is ready when its socket answers; what keeps it from starting is one line on stderr and exit 1.
 */
import { performance } from 'node:perf_hooks'
import { createRunHost } from './agents/host.ts'
import { hasMail } from './core/state.ts'
import { RelayError } from './errors.ts'
import { readConfig } from './home/config.ts'
import { readEnvironment } from './home/env.ts'
import { openHome } from './home/home.ts'
import { lockHome } from './home/lock.ts'
import type { HomePaths } from './home/paths.ts'
import { listenLocally } from './local/server.ts'
import { type Log, openLog } from './log.ts'
import { watchNetwork } from './peers/network-watch.ts'
import { type PeerSettings, peerSettings } from './peers/settings.ts'
import { systemClock } from './service/clock.ts'
import { createControl } from './service/control.ts'
import { createMail } from './service/mail.ts'
import { netcheckView } from './service/netcheck.ts'
import { createPeering } from './service/peering.ts'
import { historyMs, keepHistoryFor } from './service/retention.ts'
import { createSealer } from './service/seals.ts'
import { createService } from './service/service.ts'
import { openSession } from './service/session.ts'
import { statusView } from './service/status.ts'
import { openStore } from './store/store.ts'
import { version } from './version.ts'

/** How often the clock is written down while mail waits. */
const MARK_MS = 60_000
/** How late a daemon notices at most that its machine has slept. */
const CATCH_UP_MS = 10_000

async function main(): Promise<void> {
  process.umask(0o077)
  const environment = readEnvironment()
  const keepMs = historyMs(environment.history)
  const peers = peerSettings(environment)
  const paths = openHome(environment.home)
  const lock = lockHome(paths)
  const log = openLog(paths.log, environment.logLevel, process.argv.includes('--foreground'))
  const stop = await start({ paths, log, keepMs, isSealOff: environment.isSealOff, peers })
  let isStopping = false
  const end = (reason: string): void => {
    if (isStopping) return
    isStopping = true
    log.info(`stopping: ${reason}`)
    stop().then(
      () => {
        lock.release()
        process.exit(0)
      },
      (error) => {
        log.error('stopping failed', { error })
        process.exit(1)
      },
    )
  }
  stopRequested = () => end('agent-relay down')
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(signal))
  process.on('uncaughtException', (error) => log.error('a defect: the daemon goes on', { error }))
  process.on('unhandledRejection', (error) => log.error('a defect: the daemon goes on', { error }))
}

let stopRequested = (): void => undefined

type Start = {
  paths: HomePaths
  log: Log
  /** How long finished messages stay. */
  keepMs: number
  isSealOff: boolean
  peers: PeerSettings
}

/** Opens everything in the order of need; gives back how to close it. */
async function start({ paths, log, keepMs, isSealOff, peers }: Start): Promise<() => Promise<void>> {
  const store = openStore(paths.db, { index: paths.search, warn: (text) => log.warn(text) })
  const clock = systemClock()
  try {
    store.startClock(clock.startedAt)
  } catch (error) {
    // A full disk keeps nothing from starting; times to live then go by the wall clock.
    log.warn('what the clocks said in the last run is not taken into account', { error })
  }
  const runHost = createRunHost()
  const engine = () => service.engine
  const sealer = createSealer({
    paths,
    log,
    trust: () => control.trust(),
    known: () => engine().state().roster,
    putSeals: (seals) => control.putSeals(seals),
    isOff: isSealOff,
  })
  const mail = createMail({ engine, sealer, log })
  const control = createControl({ paths, store, log, version, engine, mail, sealer })
  const network = watchNetwork()
  // Before direct links: they need it to find new ones.
  network.onChange(control.nudge)
  const peering = createPeering({ paths, log, store, engine, control, sealer, mail, settings: peers, network })
  const sealing = () => {
    const view = sealer.view()
    return view !== null && isSealOff ? { ...view, mode: 'off' as const } : view
  }
  let readyAt = performance.now()
  const service = createService({
    paths,
    store,
    log,
    runHost,
    clock,
    outward(effect) {
      peering.outward(effect)
      control.outward(effect)
    },
    restored() {
      control.restore()
      peering.restore()
    },
    channels: control.channels,
    peering,
    status: () =>
      statusView({
        version,
        home: paths.home,
        uptimeMs: performance.now() - readyAt,
        state: service.engine.state(),
        store,
        control,
        links: peering.views(),
        sealing: sealing(),
        now: service.engine.now(),
      }),
    netcheck: async () =>
      netcheckView({
        url: control.link()?.url ?? null,
        facts: await peering.netcheck(),
        control: control.view(),
        interfaces: network.interfaces(),
      }),
    reload: () => control.load(),
    shutdown: () => stopRequested(),
  })
  // A configuration that cannot be read keeps the daemon from starting; connecting is not part of being ready.
  readConfig(paths)
  control.load().catch((error: unknown) => log.error('the link cannot be used', { error }))
  const server = await listenLocally({
    path: paths.socket,
    version,
    log,
    open: (connection, proof) => openSession(service, connection, proof),
  })
  readyAt = performance.now()
  const stopPurging = keepHistoryFor(keepMs, { store, log, now: clock.now })
  const timeKeeping = setInterval(() => {
    if (hasMail(service.engine.state())) markTime()
  }, MARK_MS).unref()
  const catchUp = setInterval(() => {
    if (!clock.catchUp()) return
    service.engine.submit({ type: 'tick' })
    control.nudge()
    peering.woke()
  }, CATCH_UP_MS).unref()
  function markTime(): void {
    try {
      store.markClock(clock.mark())
    } catch (error) {
      log.warn('the time could not be written down', { error })
    }
  }
  log.info('ready', { pid: process.pid, version })
  return async () => {
    stopPurging()
    clearInterval(timeKeeping)
    clearInterval(catchUp)
    network.stop()
    await runHost.stop()
    await control.leave()
    control.stop()
    sealer.stop()
    service.stop()
    markTime()
    await server.close()
    await store.close()
  }
}

main().catch((error: unknown) => {
  process.stderr.write(
    `agent-relay: ${error instanceof RelayError ? error.message : String((error as Error)?.stack ?? error)}\n`,
  )
  process.exit(1)
})
