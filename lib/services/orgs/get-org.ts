import { PERSON_CLIENT } from '@agent-relay/protocol'
import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import type { OrgCounts, OrgView } from '#lib/trpc/views.ts'
import type { UserActor } from '../context.ts'
import { countUnread } from '../inbox/count-unread.ts'
import { isFailed, isWaiting, within24h } from '../reads/message-rows.ts'
import { orgSummary } from './org-summary.ts'

/** The organization with the numbers beside its navigation, for the person who asks. `createdAt` is ms since 1970. */
export async function getOrg(ctx: OrgCtx<UserActor>): Promise<OrgView> {
  authorize(ctx.role, 'org.read')
  const orgId = ctx.org.id
  const [{ agentsUsed, ...counts }, unread, members] = await Promise.all([
    countsOf(ctx),
    countUnread(ctx),
    ctx.db.membership.count({ where: { orgId } }),
  ])
  return {
    ...orgSummary(ctx.org, ctx.role),
    createdAt: ctx.org.createdAt.getTime(),
    archiveSince: ctx.org.archiveSince?.getTime() ?? null,
    counts: { ...counts, unread },
    agentsUsed,
    members,
  }
}

type MachineCounts = Omit<OrgCounts, 'unread'> & { agentsUsed: number }

/** One round trip; every part of it reads an index that names the organization. */
async function countsOf({ db, org }: OrgCtx): Promise<MachineCounts> {
  const rows = await db.$queryRaw<MachineCounts[]>`
    SELECT
      a.agents, a."agentsOnline",
      (SELECT (count(*) - count(DISTINCT "machineId") FILTER (WHERE client = ${PERSON_CLIENT}))::int
        FROM "Agent" WHERE "orgId" = ${org.id}::uuid AND "releasedAt" IS NULL) AS "agentsUsed",
      (SELECT count(*)::int FROM "Machine" WHERE "orgId" = ${org.id}::uuid AND "revokedAt" IS NULL) AS machines,
      (SELECT count(DISTINCT s."machineId")::int FROM "MachineSession" s JOIN "Machine" m ON m.id = s."machineId" AND m."revokedAt" IS NULL
        WHERE s."orgId" = ${org.id}::uuid AND s."endedAt" IS NULL AND s."leaseExpiresAt" > now()) AS "machinesOnline",
      (SELECT count(*)::int FROM "MessageTrace" t WHERE t."orgId" = ${org.id}::uuid AND ${isWaiting}) AS waiting,
      (SELECT count(*)::int FROM "MessageTrace" t WHERE t."orgId" = ${org.id}::uuid AND ${isFailed} AND ${within24h}) AS "failed24h"
    FROM (
      SELECT count(*)::int AS agents, count(*) FILTER (WHERE a."releasedAt" IS NULL AND a.status <> 'offline')::int AS "agentsOnline"
      FROM "Agent" a JOIN "Machine" m ON m.id = a."machineId" AND m."revokedAt" IS NULL
      WHERE a."orgId" = ${org.id}::uuid AND a.client IS DISTINCT FROM ${PERSON_CLIENT}
    ) a`
  return rows[0] as (typeof rows)[number]
}
