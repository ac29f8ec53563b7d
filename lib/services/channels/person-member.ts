import type { OrgCtx } from '#lib/access/authorize.ts'
import { DomainError } from '#lib/errors.ts'
import type { Tx, UserActor } from '../context.ts'
import { type Person, peopleOf } from '../inbox/people.ts'

/** The person who asks, as the organization addresses them. @throws DomainError NOT_FOUND when they have just left it */
export async function askingPerson(tx: Tx, ctx: OrgCtx<UserActor>): Promise<Person> {
  const person = (await peopleOf(tx, ctx.org.id)).find(({ userId }) => userId === ctx.actor.userId)
  if (person) return person
  throw new DomainError('NOT_FOUND', `You do not belong to ${ctx.org.slug} any more: ask its owner to invite you.`)
}
