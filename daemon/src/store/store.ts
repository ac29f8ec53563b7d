/** relay.db behind one object: commit a turn, read, recover, forget old history. */
import type { DatabaseSync } from 'node:sqlite'
import { DAY_MS } from '@agent-relay/protocol'
import type { ClockMark, Reading } from '../core/clock.ts'
import type { Entropy, State } from '../core/state.ts'
import type { Op } from '../core/turn.ts'
import { markClock, startClock } from './clock.ts'
import { explain, openDatabase } from './database.ts'
import { createReader, type Reader } from './reader.ts'
import { recover } from './recover.ts'
import { createSearch, type Search } from './search.ts'
import { createWriter } from './writer.ts'

/** Finished messages are kept so long for history and traces. */
const HISTORY_MS = 30 * DAY_MS
/** Deleted at once, so that no turn waits long for it. */
const PURGE_ROWS = 500

export type Store = {
  read: Reader
  outboxEpoch: string
  /** Where a broken file was moved at opening. */
  movedAside: string | undefined
  /** Full-text search over what was committed, on a thread of its own; undefined when no index was asked for. */
  search: Search | undefined
  /** One transaction. Throws DISK_FULL or STORE_BROKEN, and then nothing of it is in the file. */
  commit(ops: readonly Op[]): void
  /** Before `recover`, once a run: times to live that wait on disk go on by a clock that starts now. Throws like `commit`. */
  startClock(reading: Reading): void
  /** Remembers what that clock says by now. Throws like `commit`. */
  markClock(mark: ClockMark): void
  recover(facts: { entropy: Entropy; hostName: string; userName: string }): State
  /** Forgets some of the history that is old enough; true when there may be more. */
  purge(now: number): boolean
  close(): Promise<void>
}

/** `index` is the file of the search's index. */
type SearchOptions = { index: string; warn: (text: string) => void }

/** Opens relay.db, or makes it. See openDatabase for what it throws. */
export function openStore(path: string, searching?: SearchOptions): Store {
  const { db, outboxEpoch, movedAside } = openDatabase(path)
  const writer = createWriter(db)
  const search =
    searching && createSearch({ history: path, index: searching.index, epoch: outboxEpoch }, searching.warn)
  const explained = (write: () => void): void => {
    try {
      write()
    } catch (error) {
      throw explain(path, error)
    }
  }
  return {
    read: createReader(db),
    outboxEpoch,
    movedAside,
    search,
    commit: (ops) =>
      explained(() => {
        writer.apply(ops)
        search?.grown()
      }),
    startClock: (reading) => explained(() => startClock(db, reading)),
    markClock: (mark) => explained(() => markClock(db, mark)),
    recover: (facts) => recover(db, { ...facts, outboxEpoch }),
    purge: (now) => purge(db, now - HISTORY_MS),
    async close() {
      await search?.stop()
      db.close()
    },
  }
}

function purge(db: DatabaseSync, before: number): boolean {
  const { changes } = db
    .prepare(
      // In order of arrival, so the oldest rows are the first ones: a bounded look at the file's beginning is enough.
      `DELETE FROM message WHERE n IN (SELECT n FROM message ORDER BY n LIMIT ?1) AND is_open = 0 AND at < ?2`,
    )
    .run(PURGE_ROWS, before)
  // A receipt that nobody heard in all that time ends with its message.
  if (Number(changes) > 0) db.exec('DELETE FROM owed WHERE n NOT IN (SELECT n FROM message)')
  return Number(changes) >= PURGE_ROWS
}
