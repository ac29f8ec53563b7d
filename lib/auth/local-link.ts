/** One-time sign-in links for whoever can read this computer's terminal, as Jupyter prints them. */
import { createHash, randomBytes } from 'node:crypto'
import { type Env, env } from '#lib/env.ts'
import { OperatorError } from '#lib/operator-error.ts'
import { paths } from '#lib/paths.ts'
import type { Db } from '#lib/services/context.ts'
import { localUser } from './local-user.ts'
import { hostOf, isLoopbackHost } from './loopback.ts'
import { openSession } from './session.ts'
import { isLoopbackInstall, signInOptions } from './sign-in-options.ts'

const lifetimeMs = 15 * 60_000

/** Why a link signed nobody in; the sign-in page says each in plain words. */
export type LinkProblem = 'LinkUsed' | 'LinkExpired' | 'LinkUnknown' | 'LinkHost' | 'LinkOff'

const hash = (token: string): string => createHash('sha256').update(token).digest('hex')

/**
 * A link that signs in once, within 15 minutes. Only its hash is kept.
 * @throws OperatorError SIGN_IN_LINK_OFF where people sign in with GitHub and other computers can reach the install.
 */
export async function createSignInLink(db: Db): Promise<{ url: string; expiresAt: Date }> {
  const { PUBLIC_URL } = env()
  if (!signInOptions().local)
    throw new OperatorError(
      'SIGN_IN_LINK_OFF',
      `${PUBLIC_URL} is reachable from other computers and has GitHub sign-in, so it takes no sign-in links: sign in with GitHub.`,
    )
  const token = randomBytes(32).toString('base64url')
  const expiresAt = new Date(Date.now() + lifetimeMs)
  await db.signInLink.create({ data: { tokenHash: hash(token), expiresAt } })
  return { url: PUBLIC_URL + paths.localSignIn(token), expiresAt }
}

/**
 * Trades a link's token for a session. Of any number of tries at once exactly one gets it.
 * @returns the `Set-Cookie` value, or why there is none.
 */
export async function redeemSignInLink(
  db: Db,
  { token, host }: { token: string; host: string | null },
): Promise<{ cookie: string } | { problem: LinkProblem }> {
  const variables = env()
  if (!signInOptions(variables).local) return { problem: 'LinkOff' }
  if (!isOurHost(hostOf(host), variables)) return { problem: 'LinkHost' }
  const tokenHash = hash(token)
  const now = new Date()
  const { count } = await db.signInLink.updateMany({
    where: { tokenHash, usedAt: null, expiresAt: { gt: now } },
    data: { usedAt: now },
  })
  if (count === 0) {
    const link = await db.signInLink.findUnique({ where: { tokenHash } })
    return { problem: !link ? 'LinkUnknown' : link.usedAt ? 'LinkUsed' : 'LinkExpired' }
  }
  const user = await localUser(db)
  return { cookie: await openSession(db, user.id) }
}

/** A page of another site whose name was made to resolve to 127.0.0.1 sends its own name here, and gets nothing. */
function isOurHost(host: string, variables: Env): boolean {
  if (isLoopbackHost(host)) return true
  return !isLoopbackInstall(variables) && host === new URL(variables.PUBLIC_URL).hostname
}
