/** People and organizations for tests, made by the verbs that make real ones. */
import { randomUUID } from 'node:crypto'
import type { Db, UserActor } from '#lib/services/context.ts'
import { createOrg } from '#lib/services/orgs/create-org.ts'
import { createUser } from '#lib/services/users/create-user.ts'

/** A person with a personal organization; the actor that a session of theirs would give. */
export async function signUp(db: Db, handle: string): Promise<UserActor> {
  const user = await createUser(db, { name: handle, handle, email: null, image: null })
  return { kind: 'user', userId: user.id, label: handle }
}

/** The context of a verb for this actor, from a documentation address. */
export const contextOf = <A>(db: Db, actor: A) => ({ db, actor, address: '192.0.2.1', requestId: randomUUID() })

/** A person who owns a new team. */
export async function foundTeam(db: Db, handle: string, name: string) {
  const owner = await signUp(db, handle)
  const org = await createOrg(contextOf(db, owner), { name })
  return { owner, org }
}
