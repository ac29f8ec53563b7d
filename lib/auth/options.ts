import type { NextAuthOptions } from 'next-auth'
import { getDb } from '#lib/db/client.ts'
import { env } from '#lib/env.ts'
import { paths } from '#lib/paths.ts'
import type { Db } from '#lib/services/context.ts'
import { authAdapter } from './adapter.ts'
import { safeRedirect } from './callback-url.ts'
import { githubProvider } from './github.ts'
import { isSecureInstall, SESSION_MAX_AGE_S } from './session.ts'

/** Everything that next-auth is told. Built per call: the variables are read when the first request comes, not at build time. */
export function authOptions(db: Db = getDb()): NextAuthOptions {
  const variables = env()
  const github = githubProvider(variables)
  return {
    adapter: authAdapter(db),
    providers: github ? [github] : [],
    session: { strategy: 'database', maxAge: SESSION_MAX_AGE_S },
    pages: { signIn: paths.signIn(), error: paths.signIn() },
    useSecureCookies: isSecureInstall(),
    ...(variables.AUTH_SECRET && { secret: variables.AUTH_SECRET }),
    callbacks: { redirect: safeRedirect },
  }
}
