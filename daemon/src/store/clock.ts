/** What the disk remembers of time, so that a time to live goes on where it was whatever the clocks were set to meanwhile. */
import type { DatabaseSync } from 'node:sqlite'
import { type ClockMark, type Reading, shiftAtMost, shiftAtStart } from '../core/clock.ts'
import { freshnessText, movedFreshness, readFreshness } from '../core/freshness.ts'

/** Coarse uptimes and a disciplined wall clock differ by this without anybody having set anything. */
const SLACK_MS = 2_000

/** Moves every time that still matters to a clock that starts at the reading's wall time, and marks that beginning. */
export function startClock(db: DatabaseSync, reading: Reading): void {
  const mark = readMark(db)
  const shiftMs = mark === undefined ? 0 : shiftAtStart(mark, reading)
  db.exec('BEGIN IMMEDIATE')
  try {
    if (Math.abs(shiftMs) > SLACK_MS)
      db.prepare('UPDATE message SET expires_at = expires_at + ? WHERE is_open = 1').run(shiftMs)
    if (mark !== undefined) moveFreshness(db, shiftAtMost(mark, reading), reading.wallMs)
    markClock(db, { ...reading, nowMs: reading.wallMs })
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

export function markClock(db: DatabaseSync, mark: ClockMark): void {
  db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('clock', ?)").run(JSON.stringify(mark))
}

function moveFreshness(db: DatabaseSync, shiftMs: number, now: number): void {
  const moved = freshnessText(movedFreshness(readFreshness(textOf(db, 'freshness')), shiftMs, now))
  if (moved !== null) db.prepare("UPDATE meta SET value = ? WHERE key = 'freshness'").run(moved)
}

function readMark(db: DatabaseSync): ClockMark | undefined {
  const text = textOf(db, 'clock')
  return text === undefined ? undefined : (JSON.parse(text) as ClockMark)
}

const textOf = (db: DatabaseSync, key: string): string | undefined =>
  (db.prepare('SELECT value FROM meta WHERE key = ?').get(key) as { value: string } | undefined)?.value
