/**
 * While the organization has its archive on, each body that is sent from here goes to it too, sealed, with the report of its
 * message. A mark on the disk says how far that is, so that what was sent while the control plane was away follows later.
 */
import { MAX_BATCH, type TraceReport } from '@agent-relay/protocol'
import type { Log } from '../log.ts'
import type { StoredMessage } from '../store/reader.ts'
import type { Store } from '../store/store.ts'
import type { Engine } from './engine.ts'
import type { Sealer } from './seals.ts'

/** After a change, so that messages of a moment go together. */
const GATHER_MS = 250
/** After a failure, unless something changes before. */
const AGAIN_MS = 30_000
/** Of one frame: the control plane has other things to read from here. */
const FRAME_CHARS = 1024 * 1024
const FRAME_MESSAGES = Math.min(100, MAX_BATCH)

export type Archiver = {
  /** A message was sent, or the archive went on or off, or the control plane came back. */
  changed(): void
  stop(): void
}

type Options = {
  engine: Engine
  store: Store
  log: Log
  sealer: Pick<Sealer, 'archiveKey' | 'sealArchive'>
  isUp(): boolean
  reportOf(row: StoredMessage): TraceReport | undefined
  /** Resolves when the control plane has them on its disk. */
  send(reports: TraceReport[]): Promise<void>
}

export function createArchiver({ engine, store, log, sealer, isUp, reportOf, send }: Options): Archiver {
  let timer: NodeJS.Timeout | undefined
  let isRunning = false
  let isStopped = false
  let hasFailed = false

  function inTime(ms: number): void {
    timer ??= setTimeout(() => {
      timer = undefined
      engine.afterCommit(run)
    }, ms).unref()
  }

  /** Where the archive begins is written at once: what was sent before it was on stays out of it. */
  function begun(key: string): number {
    const mark = store.archived()
    const newest = store.read.newestPlace()
    if (mark?.key === key && mark.upTo <= newest) return mark.upTo
    store.noteArchived({ key, upTo: newest })
    return newest
  }

  async function run(): Promise<void> {
    if (isRunning || isStopped) return
    isRunning = true
    try {
      while (!isStopped && (await sendSome()));
      hasFailed = false
    } catch (error) {
      if (!hasFailed) log.info('bodies did not get to the archive; they follow later', { reason: String(error) })
      hasFailed = true
      inTime(AGAIN_MS)
    }
    isRunning = false
  }

  /** False when there is no more to send, or nobody to send it to. */
  async function sendSome(): Promise<boolean> {
    const key = sealer.archiveKey()
    if (key === undefined || !isUp()) return false
    if (key === null) {
      if (store.archived() !== undefined) store.noteArchived(undefined)
      return false
    }
    const { rows, upTo } = store.read.sent(begun(key), FRAME_MESSAGES)
    const reports: TraceReport[] = []
    let last = upTo
    let chars = 0
    for (const [nth, row] of rows.entries()) {
      const report = reportOf(row)
      const sealed = report && !isKeptAnyway(report) && sealer.sealArchive(row.id, row.body)
      if (!report || !sealed) continue
      chars += sealed.data.length
      if (reports.length > 0 && chars > FRAME_CHARS) {
        last = (rows[nth - 1] as StoredMessage).n
        break
      }
      reports.push({ ...report, sealed })
    }
    if (reports.length > 0) await send(reports)
    // The archive may have ended meanwhile: then there is no mark to move.
    if (rows.length === 0 || sealer.archiveKey() !== key) return false
    store.noteArchived({ key, upTo: last })
    return true
  }

  return {
    changed() {
      const key = sealer.archiveKey()
      if (isStopped || key === undefined) return
      try {
        if (key !== null) begun(key)
      } catch (error) {
        log.warn('how far the archive is could not be written down', { error })
      }
      inTime(GATHER_MS)
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}

/** What is for people and channels is kept where they read it; the former only its person may read. */
const isKeptAnyway = ({ to, via }: TraceReport): boolean => /^[@#]/.test(to) || via?.startsWith('#') === true
