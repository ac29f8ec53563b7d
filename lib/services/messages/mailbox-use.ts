/** What waits for each machine is counted as it comes and goes: counting the rows would cost more the more there are. */
import { Prisma } from '#lib/db/generated/client.ts'

/** The columns that a DELETE returns as `gone` for `freed`. */
export const goneColumns = Prisma.sql`m."machineId", m.id, m."orgId", m.kind, m."sizeBytes", m."expiresAt"`

/** Takes what a DELETE in the CTE `gone` returned off the counts; in one order, so that two of them never wait for each other. */
export const freed = Prisma.sql`
  INSERT INTO "MailboxUse" AS u ("machineId", day, kind, "orgId", messages, bytes)
  SELECT "machineId", "expiresAt"::date AS day, kind, "orgId", -count(*), -sum("sizeBytes") FROM gone
  GROUP BY "machineId", day, kind, "orgId" ORDER BY "machineId", day, kind
  ON CONFLICT ("machineId", day, kind) DO UPDATE SET messages = u.messages + EXCLUDED.messages, bytes = u.bytes + EXCLUDED.bytes`
