/**
 * Browser sessions: a random token in an HttpOnly cookie named as next-auth names it, and its SHA-256 in the table, so that
 * a copy of the database signs nobody in.
 */
import { createHash, randomBytes } from 'node:crypto'
import { env } from '#lib/env.ts'
import { type Db, personName, type UserActor } from '#lib/services/context.ts'

/** Seconds. After this a person signs in again, however active they were. */
export const SESSION_MAX_AGE_S = 30 * 86_400

/** Over https the name says so, and browsers then refuse the cookie over http. */
export const isSecureInstall = (): boolean => env().PUBLIC_URL.startsWith('https:')

const cookieName = (): string => `${isSecureInstall() ? '__Secure-' : ''}next-auth.session-token`

export const hashSessionToken = (token: string): string => createHash('sha256').update(token).digest('hex')

/** Opens a session and returns the `Set-Cookie` value that carries it. */
export async function openSession(db: Db, userId: string): Promise<string> {
  const token = randomBytes(32).toString('base64url')
  const expires = new Date(Date.now() + SESSION_MAX_AGE_S * 1000)
  await db.session.create({ data: { sessionToken: hashSessionToken(token), userId, expires } })
  const parts = [`${cookieName()}=${token}`, 'Path=/', `Expires=${expires.toUTCString()}`, 'HttpOnly', 'SameSite=Lax']
  return [...parts, ...(isSecureInstall() ? ['Secure'] : [])].join('; ')
}

/** The person whose live session this `Cookie` header carries, or null. */
export async function userOfCookie(db: Db, cookieHeader: string | null | undefined): Promise<UserActor | null> {
  const token = readCookie(cookieHeader ?? '', cookieName())
  if (!token) return null
  const session = await db.session.findUnique({
    where: { sessionToken: hashSessionToken(token) },
    select: { expires: true, user: { select: { id: true, handle: true, name: true, email: true } } },
  })
  if (!session || session.expires.getTime() <= Date.now()) return null
  return { kind: 'user', userId: session.user.id, label: personName(session.user) }
}

function readCookie(header: string, name: string): string | undefined {
  for (const part of header.split(';')) {
    const equals = part.indexOf('=')
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim()
  }
  return undefined
}
