import { toSlug } from '@agent-relay/protocol'
import { withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import type { OrgSummary } from '#lib/trpc/views.ts'
import type { Ctx, UserActor } from '../context.ts'
import { insertOrg, isSlugTaken } from './insert-org.ts'
import { orgSummary } from './org-summary.ts'
import { freeSlug, slugProblem } from './slug.ts'

/** Organizations that one person may own: far above any use, and an end to a script that has gone wrong. */
const maxOwned = 100
/** See freeSlug for how a slug can be lost; the next try reads anew what is free. */
const tries = 3

/**
 * Creates a team organization with the caller as its owner. Without a slug the name makes one, numbered when it is taken.
 * @throws DomainError BAD_REQUEST for a slug that nobody may have, CONFLICT with details {field, suggestion} for a taken one,
 * PLAN_LIMIT beyond 100 organizations of one owner.
 */
export async function createOrg(ctx: Ctx<UserActor>, input: { name: string; slug?: string }): Promise<OrgSummary> {
  const name = input.name.trim()
  const wanted = input.slug ?? toSlug(name)
  if (wanted === undefined)
    throw new DomainError(
      'BAD_REQUEST',
      `Nothing of the name ${JSON.stringify(name)} can stand in a URL: give a slug.`,
      {
        details: { field: 'slug' },
      },
    )
  const problem = input.slug === undefined ? undefined : slugProblem(wanted)
  if (problem) throw badSlug(wanted, problem)
  const owned = await ctx.db.membership.count({ where: { userId: ctx.actor.userId, role: 'owner' } })
  if (owned >= maxOwned)
    throw new DomainError('PLAN_LIMIT', `You own ${owned} organizations and the limit is ${maxOwned}: use one of them.`)

  for (let attempt = 1; ; attempt++) {
    try {
      const org = await withTransaction(ctx.db, async (tx) => {
        const slug = await freeSlug(tx, wanted)
        if (input.slug !== undefined && slug !== wanted) throw takenSlug(wanted, slug)
        return insertOrg(tx, ctx, { kind: 'team', name, slug })
      })
      return orgSummary(org, 'owner')
    } catch (error) {
      if (!isSlugTaken(error) || attempt === tries) throw error
    }
  }
}

function badSlug(slug: string, problem: string): DomainError {
  return new DomainError(
    'BAD_REQUEST',
    `The slug ${JSON.stringify(slug)} cannot be used: ${problem}. Choose another.`,
    {
      details: { field: 'slug' },
    },
  )
}

function takenSlug(slug: string, suggestion: string): DomainError {
  return new DomainError('CONFLICT', `The slug "${slug}" is taken: "${suggestion}" is free.`, {
    details: { field: 'slug', suggestion },
  })
}
