import type { Db } from '../context.ts'

/** As many as go out of an outbox at once; the rest follow when these are acknowledged. */
const window = 256

/** The oldest rows of this machine's mailbox that people wrote: the control plane's own machine is the organization's id. */
export async function personMail(
  db: Db,
  { orgId, machineId }: { orgId: string; machineId: string },
): Promise<string[]> {
  const rows = await db.mailboxMessage.findMany({
    where: { orgId, machineId, fromMachine: orgId },
    select: { id: true },
    orderBy: { id: 'asc' },
    take: window,
  })
  return rows.map(({ id }) => id)
}
