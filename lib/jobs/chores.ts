/** What the control plane cleans up by itself. Each chore may run at any time, twice at once, and after having been missed. */
import { publish } from '#lib/realtime/bus.ts'
import type { Db } from '#lib/services/context.ts'
import { expireDeliveries, forgetOld, remind } from '#lib/services/inbox/retention.ts'
import { rotateSealKeys } from '#lib/services/keys/cloud-seal-keys.ts'
import { endSessions } from '#lib/services/machines/sessions.ts'
import { dropMailDays, openMailDaysAhead } from '#lib/services/messages/mail-days.ts'

/** Rows of one statement: small enough that nobody waits for its locks. */
const slice = 5_000
const dayMs = 86_400_000
/** Traces are for finding out what happened lately; longer histories are on the machines themselves. */
const traceDays = 30
const sessionDays = 7

type Chore = { cron: string; run(db: Db): Promise<void> }

export const chores = {
  /** What was not fetched within its time to live goes with its day; its sender's own copy fails with a reason. */
  'mailbox.expire': {
    cron: '*/5 * * * *',
    async run(db) {
      await openMailDaysAhead(db)
      await dropMailDays(db)
    },
  },
  'traces.expire': {
    cron: '17 * * * *',
    async run(db) {
      await untilNone(
        () => db.$executeRaw`
          DELETE FROM "MessageTrace" WHERE ("orgId", "messageId") IN (
            SELECT "orgId", "messageId" FROM "MessageTrace" WHERE "sentAt" < ${new Date(Date.now() - traceDays * dayMs)} LIMIT ${slice})`,
      )
      await untilNone(
        () => db.$executeRaw`
          DELETE FROM "ArchivedMessage" WHERE ("orgId", "messageId") IN (
            SELECT "orgId", "messageId" FROM "ArchivedMessage" WHERE "sentAt" < ${new Date(Date.now() - traceDays * dayMs)}
            LIMIT ${slice})`,
      )
    },
  },
  /** Ended device codes, sign-in links and browser sessions; a day later, so that late visitors are told what happened. */
  'access.expire': {
    cron: '37 * * * *',
    async run(db) {
      const before = new Date(Date.now() - dayMs)
      await db.deviceCode.deleteMany({ where: { expiresAt: { lt: before } } })
      await db.signInLink.deleteMany({ where: { expiresAt: { lt: before } } })
      await db.session.deleteMany({ where: { expires: { lt: before } } })
    },
  },
  /** Ended connections; what a claim reads of them, the lease, is long over by then. */
  'sessions.expire': {
    cron: '47 * * * *',
    run: (db) =>
      untilNone(
        () => db.$executeRaw`
          DELETE FROM "MachineSession" WHERE id IN (
            SELECT id FROM "MachineSession" WHERE "endedAt" < ${new Date(Date.now() - sessionDays * dayMs)} LIMIT ${slice})`,
      ),
  },
  /** What people wrote and nobody took, and what connected machines have not answered. */
  'people.remind': {
    cron: '* * * * *',
    async run(db) {
      await expireDeliveries(db)
      await remind(db)
    },
  },
  /** Old messages of inboxes and channels. */
  'people.forget': { cron: '27 * * * *', run: forgetOld },
  /** The keys to which messages for people are sealed. */
  'keys.rotate': { cron: '7 * * * *', run: (db) => rotateSealKeys(db) },
  /** Machines that nobody hears any more show offline. */
  'leases.end': {
    cron: '* * * * *',
    async run(db) {
      for (const orgId of await endSessions(db, { leaseOver: true })) {
        publish('roster', { orgId })
        publish('hint', { orgId, kinds: ['machines', 'agents'] })
      }
    },
  },
} as const satisfies Record<string, Chore>

export type ChoreName = keyof typeof chores

async function untilNone(deleteSlice: () => Promise<number>): Promise<void> {
  while ((await deleteSlice()) >= slice);
}
