import { DomainError } from '#lib/errors.ts'
import type { MeView } from '#lib/trpc/views.ts'
import type { Ctx, UserActor } from '../context.ts'
import { orgSummary } from '../orgs/org-summary.ts'

/** The signed-in person and their organizations: teams by name, then the personal one. */
export async function getMe({ db, actor }: Ctx<UserActor>): Promise<MeView> {
  const user = await db.user.findUnique({
    where: { id: actor.userId },
    include: { memberships: { where: { org: { deletedAt: null } }, include: { org: true } } },
  })
  if (!user) throw new DomainError('UNAUTHENTICATED', 'Your account is gone: sign in again.')
  const { id, email, image } = user
  const orgs = user.memberships
    .map(({ org, role }) => orgSummary(org, role))
    .sort((a, b) => b.kind.localeCompare(a.kind) || a.name.localeCompare(b.name) || a.slug.localeCompare(b.slug))
  return { user: { id, name: user.name ?? actor.label, handle: user.handle ?? actor.label, email, image }, orgs }
}
