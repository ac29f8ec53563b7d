import type { NextAuthOptions } from 'next-auth'
import { getDb } from '#lib/db/client.ts'
import { env } from '#lib/env.ts'
import { getLog } from '#lib/log.ts'
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
    logger: {
      error: (code, detail) => getLog().warn({ code, reason: reasonOf(detail) }, 'a sign-in failed'),
      warn: (code) => getLog().debug({ code }, 'next-auth warns'),
      debug: () => undefined,
    },
  }
}

/** The message alone: what next-auth logs beside it holds profiles and tokens. */
function reasonOf(detail: unknown): string {
  const error = detail instanceof Error ? detail : (detail as { error?: unknown } | undefined)?.error
  return error instanceof Error ? error.message : String(error ?? '')
}
