/** What waits for each machine is counted as it comes and goes: counting the rows would cost more the more there are. */
import { Prisma } from '#lib/db/generated/client.ts'
import type { Db } from '../context.ts'

/** The columns that a DELETE returns as `gone` for `freed`. */
export const goneColumns = Prisma.sql`m."machineId", m.id, m."orgId", m.kind, m."sizeBytes", m."expiresAt"`

/** Takes what a DELETE in the CTE `gone` returned off the counts; in one order, so that two of them never wait for each other. */
export const freed = Prisma.sql`
  INSERT INTO "MailboxUse" AS u ("machineId", day, kind, "orgId", messages, bytes)
  SELECT "machineId", "expiresAt"::date AS day, kind, "orgId", -count(*), -sum("sizeBytes") FROM gone
  GROUP BY "machineId", day, kind, "orgId" ORDER BY "machineId", day, kind
  ON CONFLICT ("machineId", day, kind) DO UPDATE SET messages = u.messages + EXCLUDED.messages, bytes = u.bytes + EXCLUDED.bytes`

/**
 * Where anything of these machines can be, as a condition on MailboxMessage `m`; undefined when nothing was stored for them in
 * any day that is kept. As constants to the planner, so that a statement costs what these days cost and not thirty.
 */
export async function daysOf(db: Pick<Db, '$queryRaw'>, machineIds: string[]): Promise<Prisma.Sql | undefined> {
  const [days] = await db.$queryRaw<{ from: string | null; to: string | null }[]>`
    SELECT min(day)::text AS "from", (max(day) + 1)::text AS "to" FROM "MailboxUse" WHERE "machineId" = ANY(${machineIds}::uuid[])`
  if (!days?.from || !days.to) return undefined
  return Prisma.sql`m."expiresAt" >= ${days.from}::timestamp AND m."expiresAt" < ${days.to}::timestamp`
}
