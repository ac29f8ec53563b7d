/** Forgets finished messages that are old enough, in slices that no turn notices. */
import type { DatabaseSync } from 'node:sqlite'
import { DAY_MS } from '@agent-relay/protocol'

/** Messages looked at, and text deleted, in one slice: a few milliseconds. */
const SLICE_ROWS = 200
const SLICE_BYTES = 1024 * 1024
/** Dead letters can be sent again so long, however short the history is. */
const DEAD_MS = 30 * DAY_MS

export type Purge = {
  /** Forgets some of what is older than `keepMs`; true when there may be more. `now` in ms since 1970. */
  slice(now: number, keepMs: number): boolean
  /** Everything up to this place was looked at in this round. */
  upTo(): number
}

type Row = { n: number; at: number; size: number; is_kept: number }

/** A round begins at the oldest message and ends at the first that is young enough; the next slice begins a new one. */
export function createPurge(db: DatabaseSync): Purge {
  // The newest row stays whatever its age: places are never given out twice.
  const look = db.prepare(
    `SELECT n, at, size, (is_open = 1 OR n IN (SELECT n FROM owed) OR (dead = 1 AND failed_at >= ?2)) AS is_kept FROM message
     WHERE n > ?1 AND n < (SELECT max(n) FROM message) ORDER BY n LIMIT ${SLICE_ROWS}`,
  )
  const remove = db.prepare('DELETE FROM message WHERE n = ?')
  let from = 0
  let upTo = 0

  return {
    slice(now, keepMs) {
      const rows = look.all(from, now - DEAD_MS) as Row[]
      let sizeBytes = 0
      let looked = 0
      db.exec('BEGIN IMMEDIATE')
      try {
        for (const row of rows) {
          if (row.at >= now - keepMs || sizeBytes >= SLICE_BYTES) break
          looked++
          from = row.n
          if (row.is_kept === 1) continue
          remove.run(row.n)
          sizeBytes += row.size
        }
        db.exec('COMMIT')
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK')
        from = 0
        throw error
      }
      upTo = from
      const hasMore = looked > 0 && (looked === SLICE_ROWS || sizeBytes >= SLICE_BYTES)
      if (!hasMore) from = 0
      return hasMore
    },
    upTo: () => upTo,
  }
}
