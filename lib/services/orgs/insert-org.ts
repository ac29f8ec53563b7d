/** The write that `createOrg` and the first sign-in share: an organization, its owner and the audit entry, in the caller's transaction. */

import type { Plan } from '#lib/access/plans.ts'
import { writeAudit } from '#lib/audit/write-audit.ts'
import type { Organization } from '#lib/db/generated/client.ts'
import { env } from '#lib/env.ts'
import type { Ctx, Tx, UserActor } from '../context.ts'

type NewOrg = { kind: 'personal' | 'team'; name: string; slug: string }

/** Without billing nobody could pay for more than Free, so everybody has the plan team. */
const firstPlan = (): Plan => (env().STRIPE_SECRET_KEY ? 'free' : 'team')

/** Fails with Prisma's P2002 when the slug was taken meanwhile; see isSlugTaken. */
export async function insertOrg(
  tx: Tx,
  ctx: Pick<Ctx<UserActor>, 'actor' | 'address'>,
  { kind, name, slug }: NewOrg,
): Promise<Organization> {
  const { userId } = ctx.actor
  const org = await tx.organization.create({
    data: {
      kind,
      name,
      slug,
      plan: firstPlan(),
      createdById: userId,
      memberships: { create: { userId, role: 'owner' } },
    },
  })
  await writeAudit(tx, ctx, {
    orgId: org.id,
    action: 'org.create',
    target: { kind: 'organization', id: org.id, label: org.slug },
    after: { name, slug, kind, plan: org.plan },
  })
  return org
}

/** Whether a write failed because another transaction took the slug first. */
export function isSlugTaken(error: unknown): boolean {
  const { code, meta } = error as { code?: string; meta?: unknown }
  return code === 'P2002' && JSON.stringify(meta ?? '').includes('slug')
}
