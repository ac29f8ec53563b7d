/** Who may do this, in this organization? The two questions that every verb of an organization asks first. */
import { OrgSlug } from '@agent-relay/protocol'
import type { Organization } from '../db/generated/client.ts'
import { DomainError } from '../errors.ts'
import type { Actor, Ctx } from '../services/context.ts'
import { can, type Permission, type Role, rolesWith } from './roles.ts'

/** A context narrowed to one organization in which the caller, or the machine's person, is a member. */
export type OrgCtx<A extends Actor = Actor> = Ctx<A> & { org: Organization; role: Role }

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether this text is an id; no organization has a slug of this form. */
export const isId = (text: string): boolean => uuid.test(text)

/**
 * Narrows the context to the organization with this id or slug. A machine counts as its person, in its own organization only.
 * @throws DomainError NOT_FOUND for an organization that does not exist, was deleted, or is somebody else's: the three look alike.
 */
export async function requireMembership<A extends Actor>(ctx: Ctx<A>, org: string): Promise<OrgCtx<A>> {
  const { actor } = ctx
  const key = org.toLowerCase()
  const named = isId(key) ? { id: key } : OrgSlug.safeParse(key).success ? { slug: key } : null
  const membership =
    actor.kind === 'system' || !named
      ? null
      : await ctx.db.membership.findFirst({
          where: {
            userId: actor.userId,
            ...(actor.kind === 'machine' && { orgId: actor.orgId }),
            org: { deletedAt: null, ...named },
          },
          include: { org: true },
        })
  if (!membership)
    throw new DomainError(
      'NOT_FOUND',
      `There is no organization ${JSON.stringify(org.slice(0, 64))} that you belong to: check the address, or ask its owner to invite you.`,
    )
  return { ...ctx, org: membership.org, role: membership.role }
}

/** @throws DomainError FORBIDDEN naming the roles that may, when this one may not. */
export function authorize(role: Role, permission: Permission): void {
  if (can(role, permission)) return
  throw new DomainError(
    'FORBIDDEN',
    `Your role here is ${role}, and ${permission} needs ${rolesWith(permission).join(' or ')}: ask one of them.`,
  )
}
