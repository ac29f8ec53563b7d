import type { Db } from '../context.ts'

/** The rows of this machine's mailbox that people wrote: the control plane's own machine is the organization's id. */
export async function personMail(
  db: Db,
  { orgId, machineId }: { orgId: string; machineId: string },
): Promise<string[]> {
  const rows = await db.mailboxMessage.findMany({
    where: { orgId, machineId, fromMachine: orgId },
    select: { id: true },
  })
  return rows.map(({ id }) => id)
}
