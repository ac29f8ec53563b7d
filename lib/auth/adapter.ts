/** How next-auth reaches our tables: users come with a personal organization, sessions as hashes, provider tokens not at all. */
import { PrismaAdapter } from '@next-auth/prisma-adapter'
import type { NextAuthOptions } from 'next-auth'
import type { Db } from '#lib/services/context.ts'
import { createUser } from '#lib/services/users/create-user.ts'
import { hashSessionToken } from './session.ts'

type Adapter = NonNullable<NextAuthOptions['adapter']>
type AdapterUser = NonNullable<Awaited<ReturnType<NonNullable<Adapter['getUser']>>>>
type NewAccount = { userId: string; type: string; provider: string; providerAccountId: string }
type GitHubUser = Omit<AdapterUser, 'id'> & { handle?: string }

export function authAdapter(db: Db): Adapter {
  return {
    ...PrismaAdapter(db as never),
    async createUser(input: GitHubUser) {
      const handle = input.handle ?? input.name ?? 'user'
      const user = await createUser(db, {
        name: input.name ?? handle,
        handle,
        email: input.email ?? null,
        image: input.image ?? null,
      })
      return user as AdapterUser
    },
    // The tokens could read the person's mail addresses for years and are never needed again, so they are not kept.
    async linkAccount({ userId, type, provider, providerAccountId }: NewAccount) {
      await db.account.create({ data: { userId, type, provider, providerAccountId } })
    },
    async createSession({ sessionToken, userId, expires }) {
      await db.session.create({ data: { sessionToken: hashSessionToken(sessionToken), userId, expires } })
      return { sessionToken, userId, expires }
    },
    async getSessionAndUser(sessionToken) {
      const row = await db.session.findUnique({
        where: { sessionToken: hashSessionToken(sessionToken) },
        include: { user: true },
      })
      if (!row) return null
      return { session: { sessionToken, userId: row.userId, expires: row.expires }, user: row.user as AdapterUser }
    },
    async updateSession({ sessionToken, expires }) {
      const row = await db.session.update({
        where: { sessionToken: hashSessionToken(sessionToken) },
        data: expires ? { expires } : {},
      })
      return { sessionToken, userId: row.userId, expires: row.expires }
    },
    async deleteSession(sessionToken) {
      await db.session.deleteMany({ where: { sessionToken: hashSessionToken(sessionToken) } })
    },
  }
}
