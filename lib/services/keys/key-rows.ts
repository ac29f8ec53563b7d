/** Rows of OrgKey, opened, in this process's memory. Of one purpose the newest is the one in use. */
import { type KeyPair, newKeyPair } from '@agent-relay/protocol/crypto'
import type { OrgKeyPurpose } from '#lib/db/generated/client.ts'
import { env } from '#lib/env.ts'
import { DomainError } from '#lib/errors.ts'
import { getLog } from '#lib/log.ts'
import { OperatorError } from '#lib/operator-error.ts'
import type { Db, Tx } from '../context.ts'
import { decryptPrivateHalf, encryptPrivateHalf } from './private-half.ts'

export type OrgKey = KeyPair & { createdAt: Date }

const curves = { control: 'Ed25519', cloud: 'Ed25519', seal: 'X25519', archive: 'X25519' } as const

/** Oldest first. @throws DomainError UNAVAILABLE when a private half cannot be decrypted; the log says what to do */
export async function readKeys(db: Db | Tx, orgId: string, purpose: OrgKeyPurpose): Promise<OrgKey[]> {
  const rows = await db.orgKey.findMany({ where: { orgId, purpose }, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] })
  return rows.map(({ publicKey, secret, createdAt }) => {
    const privateKey = decryptPrivateHalf(authSecret(), { orgId, purpose, publicKey }, secret)
    if (privateKey === undefined) throw unreadable(orgId)
    return { publicKey, privateKey, createdAt }
  })
}

/** A new key of the organization. Callers hold its lock, and have seen that it needs one. */
export async function insertKey(
  tx: Tx,
  orgId: string,
  purpose: OrgKeyPurpose,
  createdAt = new Date(),
): Promise<OrgKey> {
  const pair = newKeyPair(curves[purpose])
  const owner = { orgId, purpose, publicKey: pair.publicKey }
  const secret = encryptPrivateHalf(authSecret(), owner, pair.privateKey)
  await tx.orgKey.create({ data: { ...owner, secret, createdAt } })
  return { ...pair, createdAt }
}

/** @throws OperatorError NO_AUTH_SECRET */
function authSecret(): string {
  const { AUTH_SECRET } = env()
  if (AUTH_SECRET) return AUTH_SECRET
  throw new OperatorError(
    'NO_AUTH_SECRET',
    'AUTH_SECRET is not set, and the keys of organizations are encrypted with it: run npm start, which makes one, or set it.',
  )
}

const told = new Set<string>()

/** Said once for each organization: every machine that tries again would say it again. */
function unreadable(orgId: string): DomainError {
  if (!told.has(orgId))
    getLog().error(
      { org: orgId },
      'The keys of this organization cannot be decrypted: AUTH_SECRET is not the one with which they were made. Start again with the former AUTH_SECRET. If that is lost for good, delete the rows of the organization from "OrgKey", start again, and run agent-relay unlink and agent-relay link on each of its machines.',
    )
  told.add(orgId)
  return new DomainError(
    'UNAVAILABLE',
    "The control plane cannot read this organization's keys, and its log says why: ask whoever runs it.",
  )
}

type Cache = Map<string, Promise<unknown>>
const symbol = Symbol.for('agent-relay.org-keys')
const shared = globalThis as { [symbol]?: WeakMap<Db, Cache> }

/** What `load` gave for this name and database, asked for once; a failure is not kept. */
export function remembered<T>(db: Db, name: string, load: () => Promise<T>): Promise<T> {
  shared[symbol] ??= new WeakMap()
  const cache: Cache = shared[symbol].get(db) ?? new Map()
  shared[symbol].set(db, cache)
  const known = cache.get(name) as Promise<T> | undefined
  if (known) return known
  const loading = load()
  cache.set(name, loading)
  loading.catch(() => cache.get(name) === loading && cache.delete(name))
  return loading
}

/** The next one who asks for it loads it anew. */
export const forget = (db: Db, name: string): void => void shared[symbol]?.get(db)?.delete(name)
