/** relay.db behind one object: commit a turn, read, recover, forget old history; replaced when it is found damaged. */
import type { DatabaseSync } from 'node:sqlite'
import type { ClockMark, Reading } from '../core/clock.ts'
import { notifyFailed } from '../core/failure.ts'
import type { Entropy, State } from '../core/state.ts'
import { newTurn, type Op } from '../core/turn.ts'
import type { RelayError } from '../errors.ts'
import { type ArchiveMark, archivedIn, noteArchived } from './archived.ts'
import { markClock, startClock } from './clock.ts'
import { createDatabase, explain, isBroken, isThere, newestIn, outboxEpochOf } from './database.ts'
import { type Mark, openMark } from './mark.ts'
import { createPurge, type Purge } from './purge.ts'
import { type Damage, damageOf, type Fault, finishReplacement, replaceDamaged } from './quarantine.ts'
import { createReader, type Reader } from './reader.ts'
import { recover } from './recover.ts'
import type { Untold } from './salvage.ts'
import { createSearch, type Search } from './search.ts'
import type { Wanted } from './search-index.ts'
import { createWriter, type Writer } from './writer.ts'

export type Store = {
  /** Throws STORE_BROKEN when the file is damaged; the next `recover` replaces it. */
  readonly read: Reader
  /** Full-text search over what was committed, on a thread of its own; undefined when no index was asked for. */
  readonly search: Search | undefined
  /** What became of a damaged file before this one, until somebody took note. */
  damage(): Damage | undefined
  /** `then` is called when the file was found damaged and nobody has recovered yet. */
  onDamage(then: (reason: Error) => void): void
  /** One transaction. Throws DISK_FULL or STORE_BROKEN, and then nothing of it is in the file. */
  commit(ops: readonly Op[]): void
  /** Before `recover`, once a run: times to live that wait on disk go on by a clock that starts now. Throws like `commit`. */
  startClock(reading: Reading): void
  /** Remembers what that clock says by now. Throws like `commit`. */
  markClock(mark: ClockMark): void
  /** How far the organization's archive has what was sent from here; undefined while there is none. */
  archived(): ArchiveMark | undefined
  /** Throws like `commit`. */
  noteArchived(mark: ArchiveMark | undefined): void
  /** `memory`: the state of before, when there is one. A damaged file is replaced first, with what both still know. */
  recover(facts: Facts, memory?: State): State
  /** Forgets some of the history that is older than `keepMs`; true when there may be more. */
  purge(now: number, keepMs: number): boolean
  close(): Promise<void>
}

/** `now` on the clock of the state. */
type Facts = { entropy: Entropy; hostName: string; userName: string; now?: number }

/** `index` is the file of the search's index. */
type SearchOptions = { index: string; warn: (text: string) => void }

/** Everything that belongs to one file. */
type Opened = {
  db: DatabaseSync
  mark: Mark
  newest: number
  reader: Reader
  writer: Writer
  purge: Purge
  search: Search | undefined
}

/**
 * Opens relay.db, or makes it; a damaged one is replaced. Throws VERSION_UNSUPPORTED for a file of a newer version and
 * DISK_FULL when there is no room.
 */
export function openStore(path: string, searching?: SearchOptions): Store {
  let opened = openOrReplace()
  let fault: Fault | undefined
  /** A clock that could not be started by a damaged file. */
  let unstarted: Reading | undefined
  let whenDamaged: (reason: Error) => void = () => undefined

  function openOrReplace(): Opened {
    try {
      finishReplacement(path)
      const known = knownBy(path)
      const found = known > 0 && !isThere(path) ? GONE : tryToOpen(known)
      if ('db' in found) return found
      replaceDamaged(path, found, undefined)
      return around(createDatabase(path))
    } catch (error) {
      throw explain(path, error)
    }
  }

  /** `known`: the newest message that the file must have. */
  function tryToOpen(known: number): Opened | Fault {
    try {
      const db = createDatabase(path)
      const missing = known - newestIn(db)
      if (missing <= 0) return around(db)
      db.close()
      return { why: `its last ${missing} messages are missing`, isRolledBack: true }
    } catch (error) {
      if (!isBroken(error)) throw error
      return { why: (error as Error).message, isRolledBack: false }
    }
  }

  function around(db: DatabaseSync): Opened {
    const mark = openMark(path)
    const newest = newestIn(db)
    mark.write(newest)
    const epoch = outboxEpochOf(db) ?? ''
    const search = searching && createSearch({ history: path, index: searching.index, epoch }, searching.warn)
    const reader = guarded(createReader(db))
    return { db, mark, newest, reader, writer: createWriter(db), purge: createPurge(db), search }
  }

  /** The error for whoever asked; a damaged file is remembered as such. */
  function failed(error: unknown): RelayError {
    const explained = explain(path, error)
    if (!isBroken(error) || fault !== undefined) return explained
    fault = { why: (error as Error).message, isRolledBack: false }
    // A turn that failed by it recovers at once; a question that met it leaves that to somebody.
    setImmediate(() => fault !== undefined && whenDamaged(explained))
    return explained
  }

  function explained<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw failed(error)
    }
  }

  /** The same functions, which notice damage. */
  function guarded(reader: Reader): Reader {
    const guard =
      <A extends unknown[], R>(read: (...args: A) => R) =>
      (...args: A): R =>
        explained(() => read(...args))
    return Object.fromEntries(Object.entries(reader).map(([name, read]) => [name, guard(read as never)])) as Reader
  }

  function replace(found: Fault, memory: State | undefined): void {
    void opened.search?.stop()
    closeAll(opened)
    replaceDamaged(path, found, memory)
    opened = around(createDatabase(path))
    fault = undefined
    if (unstarted !== undefined) startClock(opened.db, unstarted)
    unstarted = undefined
  }

  /** Tells the senders of what was lost, in the same file that says so. */
  function tellLost(state: State, now: number): void {
    const row = opened.db.prepare("SELECT value FROM meta WHERE key = 'untold'").get() as { value: string } | undefined
    if (row === undefined) return
    const turn = newTurn(now)
    for (const { fromKey, ...lost } of JSON.parse(row.value) as Untold[]) notifyFailed(state, fromKey, lost, turn)
    opened.writer.apply(turn.ops)
    note(opened, turn.ops)
    opened.db.exec("DELETE FROM meta WHERE key = 'untold'")
  }

  function readBack(facts: Facts, memory?: State): State {
    try {
      if (fault !== undefined) replace(fault, memory)
      const state = recover(opened.db, { ...facts, outboxEpoch: outboxEpochOf(opened.db) ?? '' })
      tellLost(state, facts.now ?? Date.now())
      return state
    } catch (error) {
      if (!isBroken(error) || fault !== undefined) throw explain(path, error)
      failed(error)
      return readBack(facts, memory)
    }
  }

  return {
    get read() {
      return opened.reader
    },
    get search() {
      const { search } = opened
      if (search === undefined) return undefined
      return {
        ...search,
        find: (wanted: Wanted) =>
          search.find(wanted).catch((error: unknown) => {
            throw failed(error)
          }),
      }
    },
    damage: () => explained(() => damageOf(opened.db, Date.now())),
    onDamage(then) {
      whenDamaged = then
    },
    commit(ops) {
      if (fault !== undefined) throw explain(path, BROKEN)
      explained(() => opened.writer.apply(ops))
      note(opened, ops)
      opened.search?.grown()
    },
    startClock(reading) {
      unstarted = reading
      explained(() => startClock(opened.db, reading))
      unstarted = undefined
    },
    markClock: (mark) => explained(() => markClock(opened.db, mark)),
    archived: () => explained(() => archivedIn(opened.db)),
    noteArchived: (mark) => explained(() => noteArchived(opened.db, mark)),
    recover: readBack,
    purge: (now, keepMs) =>
      explained(() => {
        const hasMore = opened.purge.slice(now, keepMs)
        opened.search?.purged(opened.purge.upTo())
        return hasMore
      }),
    async close() {
      await opened.search?.stop()
      opened.db.close()
      opened.mark.close()
    },
  }
}

const GONE: Fault = { why: 'it was gone', isRolledBack: true }

/** The newest message that the file at `path` is known to have had. */
function knownBy(path: string): number {
  const mark = openMark(path)
  try {
    return mark.read()
  } finally {
    mark.close()
  }
}

/** However much of it was closed by an earlier try. */
function closeAll({ db, mark }: Opened): void {
  for (const part of [mark, db]) {
    try {
      part.close()
    } catch {
      // It is moved aside as it is.
    }
  }
}

/** As SQLite says it of a file that is known to be damaged. */
const BROKEN = Object.assign(new Error('database disk image is malformed'), { errcode: 11 })

/** Moves the mark on when messages were added. */
function note(opened: Opened, ops: readonly Op[]): void {
  let newest = opened.newest
  for (const op of ops) if (op.op === 'message' && op.row.n > newest) newest = op.row.n
  if (newest === opened.newest) return
  opened.newest = newest
  opened.mark.write(newest)
}
