import type { OrgCtx } from '#lib/access/authorize.ts'
import { isWaiting } from './message-rows.ts'

/** How many messages wait for each machine, by machine id: queued at their sender or stored in the cloud. */
export async function waitingByMachine({ db, org }: OrgCtx): Promise<Map<string, number>> {
  const rows = await db.$queryRaw<{ id: string; n: number }[]>`
    SELECT t."toMachineId"::text AS id, count(*)::int AS n FROM "MessageTrace" t
    WHERE t."orgId" = ${org.id}::uuid AND ${isWaiting} GROUP BY 1`
  return new Map(rows.map(({ id, n }) => [id, n]))
}
