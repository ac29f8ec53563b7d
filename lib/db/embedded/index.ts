/** The Postgres that comes with the control plane: used when DATABASE_URL is unset, and by every test run. */
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { OperatorError } from '#lib/operator-error.ts'
import { clusterUrl, isPortFree, moveToFreePort, prepareCluster } from './cluster.ts'
import { findSurvivor, type Postmaster, startPostmaster, stopPostmaster } from './postmaster.ts'

export type EmbeddedPostgres = {
  /** Valid as long as this object: a restart keeps port and password. */
  url: string
  /** The process that serves now. */
  pid(): number
  stop(): Promise<void>
}

type Options = {
  /** Folder of its own, made when missing. */
  folder: string
  /** Postgres settings beside ours, such as fsync. */
  settings?: Record<string, string>
  /** Told when Postgres died by itself, when it is back, and when a try failed. */
  onTrouble?: (message: string) => void
}

const firstWaitMs = 200
const longestWaitMs = 10_000

/**
 * Starts the embedded Postgres of a folder, or adopts the one that survived its parent, and starts it again whenever it
 * dies. `stop()` ends it and waits until everything is on disk.
 * @throws OperatorError DATABASE_FOLDER, DATABASE_BROKEN, DATABASE_BUSY, NO_POSTGRES, POSTGRES_ROOT
 */
export async function startEmbedded({ folder, settings = {}, onTrouble }: Options): Promise<EmbeddedPostgres> {
  let cluster = await prepareCluster(path.resolve(folder))
  let running = await findSurvivor(cluster)
  if (!running) {
    if (!(await isPortFree(cluster.port))) cluster = await moveToFreePort(cluster)
    running = await startSoon(() => startPostmaster(cluster, settings))
  }
  let current: Postmaster = running
  const stopping = new AbortController()

  const restart = async (): Promise<void> => {
    for (let waitMs = firstWaitMs; !stopping.signal.aborted; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      try {
        current = (await findSurvivor(cluster)) ?? (await startPostmaster(cluster, settings))
        onTrouble?.('Postgres runs again.')
        return
      } catch (error) {
        onTrouble?.((error as Error).message)
        await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => {})
      }
    }
  }
  const supervise = async (): Promise<void> => {
    for (;;) {
      await current.exited
      if (stopping.signal.aborted) return
      onTrouble?.('Postgres stopped by itself; it is being started again.')
      await restart()
      if (stopping.signal.aborted) return stopPostmaster(current)
    }
  }
  const supervised = supervise()

  return {
    url: clusterUrl(cluster),
    pid: () => current.pid,
    stop: async () => {
      stopping.abort()
      await stopPostmaster(current)
      await supervised
    },
  }
}

/** After a kill -9 the old shared memory lives until the last backend has noticed, well within this second. */
async function startSoon(start: () => Promise<Postmaster>): Promise<Postmaster> {
  for (let tries = 0; ; tries++) {
    try {
      return await start()
    } catch (error) {
      const isLeftover = error instanceof OperatorError && /still in use|is being used/.test(error.message)
      if (!isLeftover || tries === 20) throw error
      await delay(100)
    }
  }
}
