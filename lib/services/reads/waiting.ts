import type { OrgCtx } from '#lib/access/authorize.ts'

/** How many messages wait for each machine, by machine id: queued at their sender or stored in the cloud. */
export async function waitingByMachine({ db, org }: OrgCtx): Promise<Map<string, number>> {
  const rows = await db.messageTrace.groupBy({
    by: ['toMachineId'],
    where: { orgId: org.id, state: { in: ['queued', 'stored'] } },
    _count: { _all: true },
  })
  return new Map(rows.map((row) => [row.toMachineId, row._count._all]))
}
