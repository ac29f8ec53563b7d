/** What inboxes and channels do by themselves as time passes; each may run at any time, twice at once, and late. */
import { publish } from '#lib/realtime/bus.ts'
import type { Db } from '../context.ts'
import { CHANNEL_KEPT_MESSAGES, HISTORY_DAYS } from './limits.ts'
import { sendDeliveries } from './send-deliveries.ts'
import { traceDeliveries } from './trace-deliveries.ts'

const dayMs = 86_400_000
/** Rows of one statement: small enough that nobody waits for its locks. */
const slice = 1_000
/** A message or a receipt that a connected machine has not answered by then is said again. */
const patienceMs = 60_000

/** What people wrote and no machine took within its time to live has failed. */
export async function expireDeliveries(db: Db): Promise<void> {
  for (;;) {
    const late = await db.personDelivery.findMany({
      where: { state: { in: ['queued', 'stored'] }, expiresAt: { lte: new Date() } },
      select: { id: true },
      take: slice,
    })
    const failed = await db.personDelivery.updateManyAndReturn({
      where: { id: { in: late.map(({ id }) => id) }, state: { in: ['queued', 'stored'] } },
      data: { state: 'failed', reason: 'EXPIRED' },
      select: { id: true, orgId: true },
    })
    await traceDeliveries(
      db,
      failed.map(({ id }) => id),
    )
    for (const orgId of new Set(failed.map((delivery) => delivery.orgId))) publish('hint', { orgId, kinds: ['inbox'] })
    if (late.length < slice) return
  }
}

/** Sends what is still queued, and says again to machines that are connected what they have not answered: people's messages, and receipts. */
export async function remind(db: Db): Promise<void> {
  const before = new Date(Date.now() - patienceMs)
  const isHere = { sessions: { some: { endedAt: null, leaseExpiresAt: { gt: new Date() } } } }
  for (const { ids } of await queuedFor(db, before)) await sendDeliveries(db, ids)
  const [unanswered, owed] = await Promise.all([
    db.machine.findMany({
      where: { ...isHere, deliveries: { some: { state: 'stored', message: { storedAt: { lt: before } } } } },
      select: { id: true },
    }),
    db.machine.findMany({
      where: { ...isHere, receipts: { some: { createdAt: { lt: before } } } },
      select: { id: true },
    }),
  ])
  if (unanswered.length > 0) publish('resend', { machineIds: unanswered.map(({ id }) => id) })
  if (owed.length > 0) publish('owed', { machineIds: owed.map(({ id }) => id) })
}

/** What found no room in its machine's mailbox, or was queued by a process that died then: some of each machine, oldest first. */
async function queuedFor(db: Db, before: Date): Promise<{ ids: string[] }[]> {
  const machines = await db.personDelivery.findMany({
    where: { state: 'queued', expiresAt: { gt: new Date() }, message: { storedAt: { lt: before } } },
    distinct: ['machineId'],
    select: { machineId: true },
  })
  return Promise.all(
    machines.map(async ({ machineId }) => {
      const rows = await db.personDelivery.findMany({
        where: { machineId, state: 'queued', expiresAt: { gt: new Date() } },
        select: { id: true },
        orderBy: { id: 'asc' },
        take: slice,
      })
      return { ids: rows.map(({ id }) => id) }
    }),
  )
}

/** Histories end after a year, a channel's also at its size; a receipt that nobody heard for a week is given up. */
export async function forgetOld(db: Db): Promise<void> {
  const before = new Date(Date.now() - HISTORY_DAYS * dayMs)
  const thinned = new Set<string>()
  const note = (rows: { channelId: string | null }[]): number => {
    for (const { channelId } of rows) if (channelId !== null) thinned.add(channelId)
    return rows.length
  }
  await untilNone(async () =>
    note(
      await db.$queryRaw`
        DELETE FROM "DashboardMessage" WHERE id IN (
          SELECT id FROM "DashboardMessage" WHERE "storedAt" < ${before} AND ("seenAt" IS NOT NULL OR "channelId" IS NOT NULL) LIMIT ${slice})
        RETURNING "channelId"::text AS "channelId"`,
    ),
  )
  const full = await db.channel.findMany({
    where: { messageCount: { gt: CHANNEL_KEPT_MESSAGES } },
    select: { id: true },
  })
  for (const { id } of full)
    await untilNone(async () =>
      note(
        await db.$queryRaw`
          DELETE FROM "DashboardMessage" WHERE id IN (
            SELECT id FROM "DashboardMessage" WHERE "channelId" = ${id}::uuid ORDER BY id DESC OFFSET ${CHANNEL_KEPT_MESSAGES} LIMIT ${slice})
          RETURNING "channelId"::text AS "channelId"`,
      ),
    )
  await db.$executeRaw`
    UPDATE "Channel" c SET "messageCount" = (SELECT count(*) FROM "DashboardMessage" m WHERE m."channelId" = c.id)
    WHERE id = ANY(${[...thinned]}::uuid[])`
  await untilNone(
    () => db.$executeRaw`
      DELETE FROM "OwedReceipt" WHERE ("machineId", "messageId", state) IN (
        SELECT "machineId", "messageId", state FROM "OwedReceipt" WHERE "createdAt" < ${new Date(Date.now() - 7 * dayMs)} LIMIT ${slice})`,
  )
}

async function untilNone(deleteSlice: () => Promise<number>): Promise<void> {
  while ((await deleteSlice()) >= slice);
}
