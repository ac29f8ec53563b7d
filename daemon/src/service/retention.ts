/** Old history goes, in slices with room for turns between them. */
import { setTimeout as pause } from 'node:timers/promises'
import { DAY_MS, parseDuration } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'

const DEFAULT_MS = 30 * DAY_MS
/** What repeats and refusals are told from must outlive any of them. */
const MIN_MS = DAY_MS
const MAX_MS = 3650 * DAY_MS
const ROUND_MS = 10 * 60_000
/** Between two slices: a purge takes a small part of the daemon's time. */
const PAUSE_MS = 20

/** ms of AGENT_RELAY_HISTORY. Throws BAD_REQUEST for what is no time from a day to ten years. */
export function historyMs(text: string | undefined): number {
  if (text === undefined) return DEFAULT_MS
  const ms = parseDuration(text)
  if (ms !== undefined && ms >= MIN_MS && ms <= MAX_MS) return ms
  throw new RelayError(
    'BAD_REQUEST',
    `AGENT_RELAY_HISTORY is ${JSON.stringify(text)}: set it to how long messages are kept, from 1d to 3650d, or unset it for 30d.`,
  )
}

/** Begins at once and goes on in rounds; gives back how to stop. A round that fails is tried again with the next. */
export function keepHistoryFor(
  keepMs: number,
  { store, log, now }: { store: Store; log: Log; now: () => number },
): () => void {
  const stopped = new AbortController()
  const { signal } = stopped
  const round = async (): Promise<void> => {
    while (!signal.aborted && store.purge(now(), keepMs)) await pause(PAUSE_MS, undefined, { signal, ref: false })
  }
  const rounds = async (): Promise<void> => {
    while (!signal.aborted) {
      await round().catch((error: unknown) => signal.aborted || log.warn('old history was not deleted', { error }))
      await pause(ROUND_MS, undefined, { signal, ref: false })
    }
  }
  rounds().catch(() => undefined)
  return () => stopped.abort()
}
