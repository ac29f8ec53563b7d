import { getDb } from '#lib/db/client.ts'
import { paths } from '#lib/paths.ts'
import type { Db } from '#lib/services/context.ts'
import { redeemSignInLink } from './local-link.ts'

/** GET /sign-in/local?token=…: signs in and goes to the first page, or to the sign-in page with the reason why not. */
export async function handleLocalSignIn(request: Request, db: Db = getDb()): Promise<Response> {
  const token = new URL(request.url).searchParams.get('token') ?? ''
  const result = await redeemSignInLink(db, { token, host: request.headers.get('host') })
  const headers = new Headers({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' })
  if ('cookie' in result) headers.set('set-cookie', result.cookie)
  headers.set('location', 'cookie' in result ? paths.home() : `${paths.signIn()}?error=${result.problem}`)
  return new Response(null, { status: 303, headers })
}
