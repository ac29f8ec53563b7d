/** Reading message headers: the columns of MessageRow, with the machines' names, in the one order that all lists have. */
import { DASHBOARD_AGENT } from '@agent-relay/protocol'
import type { OrgCtx } from '#lib/access/authorize.ts'
import { Prisma } from '#lib/db/generated/client.ts'
import type { MessageRow } from '#lib/trpc/views.ts'

const isRevoked = (machineId: Prisma.Sql): Prisma.Sql => Prisma.sql`EXISTS (
  SELECT 1 FROM "Machine" g WHERE g.id = ${machineId} AND g."orgId" = t."orgId" AND g."revokedAt" IS NOT NULL)`
const isFromRevoked = isRevoked(Prisma.sql`t."fromMachineId"`)
const isToRevoked = isRevoked(Prisma.sql`t."toMachineId"`)

/** Queued at its sender or stored in the cloud, and both machines are still there: nothing waits for a revoked one. */
export const isWaiting = Prisma.sql`(t.state IN ('queued', 'stored') AND NOT ${isFromRevoked} AND NOT ${isToRevoked})`

/**
 * Under way when a machine was revoked: what was for it can no longer arrive, and what it had not sent never leaves. What it
 * had stored in the cloud may still arrive, and then nobody tells: that neither waits nor failed.
 */
const isCutOff = Prisma.sql`(t.state IN ('queued', 'stored') AND (${isToRevoked} OR (t.state = 'queued' AND ${isFromRevoked})))`
export const isFailed = Prisma.sql`(t.state = 'failed' OR ${isCutOff})`

/** People and channels are at the control plane's own machine, which the organization's id names. */
export const unnamed = (machineId: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`CASE WHEN ${machineId} = t."orgId" THEN ${DASHBOARD_AGENT} ELSE 'a removed machine' END`

/** Newest first; the id decides between messages of one millisecond. `where` speaks of the trace as `t`. */
export function messageRows({ db, org }: OrgCtx, where: Prisma.Sql, limit: number): Promise<MessageRow[]> {
  return db.$queryRaw<MessageRow[]>`
    SELECT t."messageId"::text AS id, t."fromAgent" AS "from", coalesce(f.name, ${unnamed(Prisma.sql`t."fromMachineId"`)}) AS "fromMachine",
      t."toAgent" AS "to", coalesce(r.name, ${unnamed(Prisma.sql`t."toMachineId"`)}) AS "toMachine", t.via, t.thread, t."sizeBytes",
      CASE WHEN ${isCutOff} THEN 'failed' ELSE t.state::text END AS state,
      CASE WHEN ${isCutOff} THEN 'KEY_REVOKED' ELSE t.reason END AS reason, t.path::text AS path, t."tookMs",
      (extract(epoch FROM t."sentAt") * 1000)::float8 AS "sentAt",
      (extract(epoch FROM t."updatedAt") * 1000)::float8 AS "updatedAt"
    FROM "MessageTrace" t
      LEFT JOIN "Machine" f ON f.id = t."fromMachineId" AND f."orgId" = t."orgId"
      LEFT JOIN "Machine" r ON r.id = t."toMachineId" AND r."orgId" = t."orgId"
    WHERE t."orgId" = ${org.id}::uuid AND ${where}
    ORDER BY t."sentAt" DESC, t."messageId" DESC LIMIT ${limit}`
}

export const within24h = Prisma.sql`t."sentAt" > now() - interval '24 hours'`
