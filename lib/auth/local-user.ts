import { userInfo } from 'node:os'
import type { User } from '#lib/db/generated/client.ts'
import { withTransaction } from '#lib/db/transaction.ts'
import type { Db } from '#lib/services/context.ts'
import { createUser } from '#lib/services/users/create-user.ts'

const account = { provider: 'local', providerAccountId: 'local' }

/** The person of this computer, made at the first sign-in with their personal organization; the same one ever after. */
export async function localUser(db: Db): Promise<User> {
  const known = await findLocalUser(db)
  if (known) return known
  const name = osUserName()
  try {
    return await withTransaction(db, async (tx) => {
      const user = await createUser(tx, { name, handle: name, email: null, image: null })
      await tx.account.create({ data: { ...account, type: 'local', userId: user.id } })
      return user
    })
  } catch (error) {
    // Another sign-in made it meanwhile, and its account row refused ours.
    const made = await findLocalUser(db)
    if (made) return made
    throw error
  }
}

async function findLocalUser(db: Db): Promise<User | null> {
  const row = await db.account.findUnique({
    where: { provider_providerAccountId: account },
    include: { user: true },
  })
  return row?.user ?? null
}

/** Some containers run under a number without a name. */
function osUserName(): string {
  try {
    return userInfo().username || 'local'
  } catch {
    return 'local'
  }
}
