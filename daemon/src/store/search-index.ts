/**
 * The full-text index of the history, in a file of its own: whatever happens to it, no message is at risk, and it is made anew
 * from relay.db. It holds words and numbers of messages, no text. Used by the search's thread alone.
 */
import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { isBroken } from './database.ts'
import { hasPhrases, type Phrase, words } from './words.ts'

/** Which messages: those for which all of it holds. */
export type Wanted = {
  phrases: readonly Phrase[]
  /** Names that are its sender, its recipient or the address that it was sent to, such as `#general`; lower case. */
  parties: readonly string[]
  thread: string | undefined
  /** Only those before this place. */
  before: number
  limit: number
}

export type SearchIndex = {
  /** Takes in at most so many messages after those that it has; true when there may be more. */
  catchUp(maxRows: number): boolean
  /** Drops messages up to this place that the history has no more. */
  sweep(upTo: number): void
  /** Places of messages, newest first. */
  find(wanted: Wanted): number[]
  close(): void
}

/** A slice ends when it took in so much text: the largest message is a quarter of it. */
const SLICE_BYTES = 1024 * 1024

/** Whether this SQLite was built with FTS5: Node has it from 22.16 on. */
export function hasFullText(): boolean {
  const db = new DatabaseSync(':memory:')
  const found = db.prepare("SELECT 1 FROM pragma_compile_options WHERE compile_options = 'ENABLE_FTS5'").get()
  db.close()
  return found !== undefined
}

/**
 * Opens the index at `path`, or makes it. `history` is a connection that reads relay.db, `epoch` that file's outbox epoch: an
 * index of another one is thrown away, as is a broken one.
 */
export function openSearchIndex(path: string, history: DatabaseSync, epoch: string): SearchIndex {
  let db: DatabaseSync
  try {
    db = open(path, epoch)
  } catch (error) {
    if (!isBroken(error)) throw error
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
    db = open(path, epoch)
  }
  const mark = db.prepare('SELECT n FROM mark')
  const setMark = db.prepare('UPDATE mark SET n = ?')
  const insert = db.prepare('INSERT INTO text (rowid, body, about) VALUES (?, ?, ?)')
  const remove = db.prepare('DELETE FROM text WHERE rowid = ?')
  const known = db.prepare('SELECT id FROM text_docsize WHERE id <= ?')
  const find = db.prepare('SELECT rowid AS n FROM text WHERE text MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?')
  const next = history.prepare(
    `SELECT n, from_agent, to_key, via, thread, body, ${IS_REFUSED} AS is_refused FROM message WHERE n > ? ORDER BY n LIMIT ?`,
  )
  const exists = history.prepare('SELECT 1 FROM message WHERE n = ?')

  function transaction(work: () => void): void {
    db.exec('BEGIN')
    try {
      work()
      db.exec('COMMIT')
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  return {
    catchUp(maxRows) {
      let last = (mark.get() as { n: number }).n
      let rows = 0
      let sizeBytes = 0
      transaction(() => {
        for (const row of next.iterate(last, maxRows) as Iterable<Source & { is_refused: number }>) {
          if (row.is_refused === 0) insert.run(row.n, words(row.body).join(' '), aboutOf(row))
          last = row.n
          rows++
          sizeBytes += row.body.length
          if (sizeBytes >= SLICE_BYTES) break
        }
        if (rows > 0) setMark.run(last)
      })
      return rows >= maxRows || sizeBytes >= SLICE_BYTES
    },
    sweep(upTo) {
      const gone = (known.all(upTo) as { id: number }[]).filter(({ id }) => exists.get(id) === undefined)
      for (let i = 0; i < gone.length; i += 500)
        transaction(() => {
          for (const { id } of gone.slice(i, i + 500)) remove.run(id)
        })
    },
    find: (wanted) =>
      (find.all(expression(wanted), wanted.before, wanted.limit) as { n: number }[]).map((row) => row.n),
    close: () => db.close(),
  }
}

/** What another machine sent to an agent that is not here was never received: it is in no history. */
export const IS_REFUSED = '(way = 1 AND state = 5 AND accepted_at IS NULL)'

/** What is looked at of a message. */
type Source = { n: number; from_agent: string; to_key: string; via: string | null; thread: string | null; body: string }

function open(path: string, epoch: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 1000 })
  try {
    // What a power cut takes from the index is taken in again: its mark is part of the same transaction.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096')
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
    const mark = version === VERSION ? (db.prepare('SELECT epoch FROM mark').get() as { epoch: string }) : undefined
    if (mark?.epoch === epoch) return db
    db.exec(`
      BEGIN;
      DROP TABLE IF EXISTS text;
      DROP TABLE IF EXISTS mark;
      CREATE VIRTUAL TABLE text USING fts5(body, about, content = '', contentless_delete = 1, tokenize = 'ascii');
      CREATE TABLE mark (epoch TEXT NOT NULL, n INTEGER NOT NULL) STRICT;
      PRAGMA user_version = ${VERSION};
    `)
    db.prepare('INSERT INTO mark (epoch, n) VALUES (?, 0)').run(epoch)
    db.exec('COMMIT')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Grows when words are cut otherwise or something else is indexed: then every index is made anew. */
const VERSION = 1

/** Names and threads as words that no text has: their letters in hexadecimal, so that any of them is exactly one word. */
const tag = (kind: 'p' | 't', text: string): string => kind + Buffer.from(text).toString('hex')

const partiesOf = (row: Source): string[] =>
  [row.from_agent, row.to_key, ...(row.via === null ? [] : [row.via])].map((name) => name.toLowerCase())

function aboutOf(row: Source): string {
  const tags = partiesOf(row).map((name) => tag('p', name))
  if (row.thread !== null) tags.push(tag('t', row.thread))
  return tags.join(' ')
}

/** Nothing that anybody typed gets into the expression but words in quotes. */
function expression({ phrases, parties, thread }: Wanted): string {
  const body = phrases.map(({ words: found, isPrefix }) => `"${found.join(' ')}"${isPrefix ? ' *' : ''}`)
  const about = parties.map((party) => tag('p', party))
  if (thread !== undefined) about.push(tag('t', thread))
  return [
    ...(body.length > 0 ? [`body : (${body.join(' AND ')})`] : []),
    ...(about.length > 0 ? [`about : (${about.map((text) => `"${text}"`).join(' AND ')})`] : []),
  ].join(' AND ')
}

/** The same answer without an index, by looking at every message: where there is no FTS5, or no room for an index. */
export function scan(history: DatabaseSync, { phrases, parties, thread, before, limit }: Wanted): number[] {
  const rows = history.prepare(
    `SELECT n, from_agent, to_key, via, thread, body FROM message WHERE n < ? AND NOT ${IS_REFUSED} ORDER BY n DESC`,
  )
  const found: number[] = []
  for (const row of rows.iterate(before) as Iterable<Source>) {
    if (found.length >= limit) break
    if (thread !== undefined && row.thread !== thread) continue
    if (!parties.every((name) => partiesOf(row).includes(name))) continue
    if (phrases.length === 0 || hasPhrases(row.body, phrases)) found.push(row.n)
  }
  return found
}
