/** The people of an organization as `@handle` addresses them. */
import { nameKey, suggestName, UserHandle } from '@agent-relay/protocol'
import { type Db, personName, type Tx } from '../context.ts'

export type Person = { userId: string; handle: string; name: string }

/** Members in the order in which they joined. Of two with one handle the later is `handle-2`, so that each has an address. */
export async function peopleOf(db: Db | Tx, orgId: string): Promise<Person[]> {
  const memberships = await db.membership.findMany({
    where: { orgId },
    select: { userId: true, user: { select: { handle: true, name: true, email: true } } },
    orderBy: { id: 'asc' },
  })
  const taken = new Set<string>()
  return memberships.map(({ userId, user }) => {
    const wanted = toHandle(personName(user))
    const handle = taken.has(nameKey(wanted)) ? suggestName(wanted, (key) => taken.has(key)) : wanted
    taken.add(nameKey(handle))
    return { userId, handle, name: (user.name ?? handle).slice(0, 100) }
  })
}

/** A GitHub login is one already; the name of an account on a computer, or a mail address, may need to lose some characters. */
function toHandle(text: string): string {
  const cleaned = text
    .replace(/@.*$/, '')
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 64)
  return UserHandle.safeParse(cleaned).success ? cleaned : 'somebody'
}
