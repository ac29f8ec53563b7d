import { toSlug } from '@agent-relay/protocol'
import type { User } from '#lib/db/generated/client.ts'
import { withTransaction } from '#lib/db/transaction.ts'
import type { Db, Tx } from '../context.ts'
import { insertOrg, isSlugTaken } from '../orgs/insert-org.ts'
import { freeSlug } from '../orgs/slug.ts'

export type NewUser = {
  name: string
  /** The GitHub login, or the name of the account on this computer. */
  handle: string
  /** Only one that the provider has verified; null otherwise. */
  email: string | null
  image: string | null
}

const tries = 3

/**
 * A user with their personal organization and its owner's membership: all of it or nothing. The organization's slug comes
 * from the handle, numbered when it is taken or reserved.
 */
export async function createUser(db: Db | Tx, input: NewUser): Promise<User> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await withTransaction(db, (tx) => insertUser(tx, input))
    } catch (error) {
      if (!isSlugTaken(error) || attempt === tries) throw error
    }
  }
}

async function insertUser(tx: Tx, { name, handle, email, image }: NewUser): Promise<User> {
  const user = await tx.user.create({
    data: { name, handle, email, emailVerified: email === null ? null : new Date(), image },
  })
  const slug = await freeSlug(tx, toSlug(handle) ?? 'personal')
  const actor = { kind: 'user' as const, userId: user.id, label: handle }
  await insertOrg(tx, { actor, address: null }, { kind: 'personal', name, slug })
  return user
}
