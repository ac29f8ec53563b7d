/** The mailbox is partitioned by the day (UTC) in which a row expires: a day that is over holds nothing alive and is dropped whole. */
import { DAY_MS, MAX_TTL_MS } from '@agent-relay/protocol'
import { sqlState } from '#lib/db/sql-state.ts'
import { withTransaction } from '#lib/db/transaction.ts'
import type { Db } from '../context.ts'

/** A process whose clock is behind may still put rows into a day that has just ended. */
const graceMs = 3_600_000
/** Dropping a partition locks the whole mailbox for an instant; it rather waits for its next turn than lets others wait. */
const patienceMs = 200

/** SQLSTATE lock_not_available. */
const lockedState = '55P03'

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

/** Makes the partitions of these times, in ms since 1970, unless they are there. Any number of processes may do so at once. */
export async function openMailDays(db: Db, times: Iterable<number>): Promise<void> {
  const days = [...new Set([...times].map(dayOf))]
  await db.$executeRaw`SELECT "openMailboxDay"(day) FROM unnest(${days}::date[]) AS day`
}

/** Makes the partitions that rows need until this has run again within the day, so that no row has to wait for its own. */
export async function openMailDaysAhead(db: Db, now = Date.now()): Promise<void> {
  const times: number[] = []
  for (let at = now - graceMs; at <= now + MAX_TTL_MS + DAY_MS; at += DAY_MS / 2) times.push(at)
  await openMailDays(db, times)
}

/** Drops the days that are over. What cannot have its lock at once is left for the next call. */
export async function dropMailDays(db: Db, now = Date.now()): Promise<void> {
  const over = await db.$queryRaw<{ partition: string; day: string }[]>`
    SELECT inhrelid::regclass::text AS partition, right(relname, 8) AS day
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = '"MailboxMessage"'::regclass AND right(relname, 8) < ${dayOf(now - graceMs).replaceAll('-', '')}
    ORDER BY day`
  for (const { partition, day } of over) {
    const isGone = await dropDay(db, partition, day)
    if (!isGone) return
  }
}

async function dropDay(db: Db, partition: string, day: string): Promise<boolean> {
  try {
    await withTransaction(db, async (tx) => {
      await tx.$executeRawUnsafe(`SET LOCAL lock_timeout = ${patienceMs}`)
      await tx.$executeRawUnsafe(`DROP TABLE IF EXISTS ${partition}`)
      await tx.$executeRaw`DELETE FROM "MailboxUse" WHERE day = ${day}::date`
    })
    return true
  } catch (error) {
    if (sqlState(error) === lockedState) return false
    throw error
  }
}
