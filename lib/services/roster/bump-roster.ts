import type { Tx } from '../context.ts'

/** A new roster version, in the transaction of the change; the update also serializes such changes. Publish `roster` after the commit. */
export async function bumpRoster(tx: Tx, orgId: string): Promise<void> {
  await tx.organization.update({
    where: { id: orgId },
    data: { rosterVersion: { increment: 1 } },
    select: { id: true },
  })
}
