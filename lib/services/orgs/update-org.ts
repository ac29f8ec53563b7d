import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { writeAudit } from '#lib/audit/write-audit.ts'
import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { OrgSummary } from '#lib/trpc/views.ts'
import { orgSummary } from './org-summary.ts'

/**
 * Renames the organization; its slug stays. Of two renames at once the later one wins, and the audit log has both in order.
 * The same name again changes and logs nothing.
 */
export async function updateOrg(ctx: OrgCtx, input: { name: string }): Promise<OrgSummary> {
  authorize(ctx.role, 'org.update')
  const name = input.name.trim()
  const { org, isChanged } = await withTransaction(ctx.db, async (tx) => {
    await lockOrg(tx, ctx.org.id)
    const before = await tx.organization.findUniqueOrThrow({ where: { id: ctx.org.id } })
    if (before.name === name) return { org: before, isChanged: false }
    // Daemons show the name, so their roster has a new version.
    const after = await tx.organization.update({
      where: { id: before.id },
      data: { name, rosterVersion: { increment: 1 } },
    })
    await writeAudit(tx, ctx, {
      orgId: before.id,
      action: 'org.update',
      target: { kind: 'organization', id: before.id, label: before.slug },
      before: { name: before.name },
      after: { name },
    })
    return { org: after, isChanged: true }
  })
  if (isChanged) {
    publish('roster', { orgId: org.id })
    publish('hint', { orgId: org.id, kinds: ['org'] })
  }
  return orgSummary(org, ctx.role)
}
