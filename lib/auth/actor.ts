/** The one door: who sends this request? */
import { randomUUID } from 'node:crypto'
import { getDb } from '#lib/db/client.ts'
import type { Ctx, Db, MachineActor, UserActor } from '#lib/services/context.ts'
import { machineOfKey } from './machine-key.ts'
import { userOfCookie } from './session.ts'

/**
 * The machine of a bearer key, else the person of the session cookie, else null.
 * @throws DomainError KEY_INVALID, KEY_REVOKED: a key that is shown must be good, also beside a good cookie.
 */
export async function getActor(
  headers: Headers,
  db: Db = getDb(),
): Promise<UserActor | (MachineActor & { publicKey: string | null }) | null> {
  const bearer = /^Bearer (\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  return bearer === undefined ? userOfCookie(db, headers.get('cookie')) : machineOfKey(db, bearer)
}

/** A verb's context but for the actor, who may be nobody yet. */
export type BrowserCtx = Omit<Ctx, 'actor'> & { actor: UserActor | null }

/** The context of a request from a page: the session cookie alone counts. */
export async function browserContext(headers: Headers, db: Db = getDb()): Promise<BrowserCtx> {
  return { db, actor: await userOfCookie(db, headers.get('cookie')), ...requestFacts(headers) }
}

/** What a request is before anybody asks who sent it. server.ts sets both headers itself, over whatever the client sent. */
export function requestFacts(headers: Headers): Pick<Ctx, 'address' | 'requestId'> {
  return {
    address: headers.get('x-forwarded-for')?.split(',')[0]?.trim() || null,
    requestId: headers.get('x-request-id') ?? randomUUID(),
  }
}
