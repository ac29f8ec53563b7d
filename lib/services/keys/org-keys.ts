/**
 * Keys that an organization has for good, made when they are first asked for: under its lock, so that two processes that ask
 * at once end with the same. All throw DomainError NOT_FOUND for an organization that is gone, and UNAVAILABLE when AUTH_SECRET
 * is not the one with which they were made.
 */
import type { KeyObject } from 'node:crypto'
import { type KeyPair, privateKeyOf } from '@agent-relay/protocol/crypto'
import type { OrgKeyPurpose } from '#lib/db/generated/client.ts'
import type { Db } from '../context.ts'
import { inOrgTurn } from '../roster/org-turn.ts'
import { insertKey, type OrgKey, readKeys, remembered } from './key-rows.ts'

/** An Ed25519 key: base64url raw public half, and what signs. */
export type Signer = { publicKey: string; key: KeyObject }

/** Signs the organization's rosters. */
export const controlKeyOf = (db: Db, orgId: string): Promise<Signer> => signerOf(db, orgId, 'control')

/** The identity of the control plane as a machine of the organization, under the organization's id. */
export const cloudIdentityOf = (db: Db, orgId: string): Promise<Signer> => signerOf(db, orgId, 'cloud')

/** The X25519 key to which machines seal bodies for the archive, while that is on. */
export const archiveKeyOf = (db: Db, orgId: string): Promise<KeyPair> =>
  remembered(db, `archive ${orgId}`, () => newestOrNew(db, orgId, 'archive'))

const signerOf = (db: Db, orgId: string, purpose: 'control' | 'cloud'): Promise<Signer> =>
  remembered(db, `${purpose} ${orgId}`, async () => {
    const pair = await newestOrNew(db, orgId, purpose)
    return { publicKey: pair.publicKey, key: privateKeyOf('Ed25519', pair) }
  })

async function newestOrNew(db: Db, orgId: string, purpose: OrgKeyPurpose): Promise<OrgKey> {
  const known = (await readKeys(db, orgId, purpose)).at(-1)
  if (known) return known
  return inOrgTurn(
    db,
    orgId,
    async (tx) => (await readKeys(tx, orgId, purpose)).at(-1) ?? insertKey(tx, orgId, purpose),
  )
}
