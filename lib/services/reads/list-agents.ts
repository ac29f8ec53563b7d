import { type AgentStatus, PERSON_CLIENT } from '@agent-relay/protocol'
import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { Prisma } from '#lib/db/generated/client.ts'
import type { AgentRow } from '#lib/trpc/views.ts'
import { like } from './like.ts'
import { isWaiting } from './message-rows.ts'

/** More agents than one page can use; the filter finds the rest. */
const maxRows = 2_000

/**
 * Agents of the organization, those whose name is held first, then by name. `q` is looked for in name, project, repository,
 * client, machine and person. Counts cover the last 24 hours.
 */
export async function listAgents(ctx: OrgCtx, input: { q?: string; status?: AgentStatus }): Promise<AgentRow[]> {
  authorize(ctx.role, 'org.read')
  const orgId = ctx.org.id
  const pattern = input.q?.trim() ? like(input.q.trim()) : null
  const rows = await ctx.db.$queryRaw<FlatAgentRow[]>`
    WITH recent AS (
      SELECT lower("fromAgent") AS sender, lower("toAgent") AS recipient
      FROM "MessageTrace" WHERE "orgId" = ${orgId}::uuid AND "sentAt" > now() - interval '24 hours'
    ), sent AS (SELECT sender AS key, count(*)::int AS n FROM recent GROUP BY 1),
    received AS (SELECT recipient AS key, count(*)::int AS n FROM recent GROUP BY 1),
    waiting AS (
      SELECT lower(t."toAgent") AS key, count(*)::int AS n FROM "MessageTrace" t
      WHERE t."orgId" = ${orgId}::uuid AND ${isWaiting} GROUP BY 1
    )
    SELECT a.name, a.status::text AS status, m.id::text AS "machineId", m.name AS "machineName",
      EXISTS (SELECT 1 FROM "MachineSession" s WHERE s."machineId" = m.id AND s."endedAt" IS NULL AND s."leaseExpiresAt" > now())
        AND m."revokedAt" IS NULL AS "isOnline",
      coalesce(u.handle, u.name, u.email, 'somebody') AS person, a.client, a.model, a.project, a.repository, a.capabilities, a.epoch,
      a."releasedAt" IS NULL AS "isHeld", a.client IS NOT DISTINCT FROM ${PERSON_CLIENT} AS "isPerson",
      (extract(epoch FROM a."createdAt") * 1000)::float8 AS "createdAt", (extract(epoch FROM a."lastSeenAt") * 1000)::float8 AS "lastSeenAt",
      coalesce(sent.n, 0) AS "sent24h", coalesce(received.n, 0) AS "received24h", coalesce(waiting.n, 0) AS waiting
    FROM "Agent" a JOIN "Machine" m ON m.id = a."machineId" JOIN "User" u ON u.id = m."userId"
      LEFT JOIN sent ON sent.key = a."nameKey" LEFT JOIN received ON received.key = a."nameKey"
      LEFT JOIN waiting ON waiting.key = a."nameKey"
    WHERE a."orgId" = ${orgId}::uuid
      ${input.status ? Prisma.sql`AND a.status::text = ${input.status}` : Prisma.empty}
      ${pattern ? Prisma.sql`AND concat_ws(' ', a.name, a.project, a.repository, a.client, m.name, u.handle) ILIKE ${pattern}` : Prisma.empty}
    ORDER BY a."releasedAt" IS NOT NULL, a."nameKey" LIMIT ${maxRows}`
  return rows.map(({ machineId, machineName, isOnline, ...row }) => ({
    ...row,
    machine: { id: machineId, name: machineName, isOnline },
  }))
}

type FlatAgentRow = Omit<AgentRow, 'machine'> & { machineId: string; machineName: string; isOnline: boolean }
