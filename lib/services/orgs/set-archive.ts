import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { writeAudit } from '#lib/audit/write-audit.ts'
import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { OrgArchive } from '#lib/trpc/views.ts'
import { archiveKeyOf } from '../keys/org-keys.ts'

/**
 * Turns the archive on or off. From then on every machine seals a copy of each body to it, or does not; its `status` says which.
 * What the archive has stays until it is as old as traces get. The same again changes and logs nothing.
 * @throws DomainError FORBIDDEN, and those of lib/services/keys
 */
export async function setArchive(ctx: OrgCtx, { isOn }: { isOn: boolean }): Promise<OrgArchive> {
  authorize(ctx.role, 'archive.set')
  // Made now, not when a machine asks for the roster: an archive without a key would be none.
  if (isOn) await archiveKeyOf(ctx.db, ctx.org.id)
  const { since, isChanged } = await withTransaction(ctx.db, async (tx) => {
    await lockOrg(tx, ctx.org.id)
    const before = await tx.organization.findUniqueOrThrow({ where: { id: ctx.org.id } })
    if ((before.archiveSince !== null) === isOn) return { since: before.archiveSince, isChanged: false }
    const { archiveSince } = await tx.organization.update({
      where: { id: before.id },
      data: { archiveSince: isOn ? new Date() : null, rosterVersion: { increment: 1 } },
      select: { archiveSince: true },
    })
    await writeAudit(tx, ctx, {
      orgId: before.id,
      action: 'org.archive',
      target: { kind: 'organization', id: before.id, label: before.slug },
      before: { archive: !isOn },
      after: { archive: isOn },
    })
    return { since: archiveSince, isChanged: true }
  })
  if (isChanged) {
    publish('roster', { orgId: ctx.org.id })
    publish('hint', { orgId: ctx.org.id, kinds: ['org'] })
  }
  return { archiveSince: since?.getTime() ?? null }
}
