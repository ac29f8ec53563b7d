/** Reading message headers: the columns of MessageRow, with the machines' names, in the one order that all lists have. */
import type { OrgCtx } from '#lib/access/authorize.ts'
import { Prisma } from '#lib/db/generated/client.ts'
import type { MessageRow } from '#lib/trpc/views.ts'

/** Newest first; the id decides between messages of one millisecond. `where` speaks of the trace as `t`. */
export function messageRows({ db, org }: OrgCtx, where: Prisma.Sql, limit: number): Promise<MessageRow[]> {
  return db.$queryRaw<MessageRow[]>`
    SELECT t."messageId"::text AS id, t."fromAgent" AS "from", coalesce(f.name, 'a removed machine') AS "fromMachine",
      t."toAgent" AS "to", coalesce(r.name, 'a removed machine') AS "toMachine", t.via, t.thread, t."sizeBytes",
      t.state::text AS state, t.reason, t.path::text AS path, t."tookMs",
      (extract(epoch FROM t."sentAt") * 1000)::float8 AS "sentAt",
      (extract(epoch FROM t."updatedAt") * 1000)::float8 AS "updatedAt"
    FROM "MessageTrace" t
      LEFT JOIN "Machine" f ON f.id = t."fromMachineId" AND f."orgId" = t."orgId"
      LEFT JOIN "Machine" r ON r.id = t."toMachineId" AND r."orgId" = t."orgId"
    WHERE t."orgId" = ${org.id}::uuid AND ${where}
    ORDER BY t."sentAt" DESC, t."messageId" DESC LIMIT ${limit}`
}

export const isWaiting = Prisma.sql`t.state IN ('queued', 'stored')`
export const isFailed = Prisma.sql`t.state = 'failed'`
export const within24h = Prisma.sql`t."sentAt" > now() - interval '24 hours'`
