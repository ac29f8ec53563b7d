/** Private halves of the organization's keys as they rest in Postgres: whoever has a copy of the database has none of them. */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import { prefixed } from '@agent-relay/protocol'
import type { OrgKeyPurpose } from '#lib/db/generated/client.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const form = 'v1.'

/** What a private half belongs to; one that is moved to another row cannot be opened there. */
export type Owner = { orgId: string; purpose: OrgKeyPurpose; publicKey: string }

/** `v1.` and base64url of nonce, ciphertext and tag. */
export function encryptPrivateHalf(secret: string, owner: Owner, privateKey: string): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret), nonce)
  cipher.setAAD(boundTo(owner))
  const sealed = cipher.update(Buffer.from(privateKey, 'base64url'))
  cipher.final()
  return form + Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url')
}

/** The private half, base64url raw; undefined when this secret or this owner is not the one that it was encrypted for. */
export function decryptPrivateHalf(secret: string, owner: Owner, encrypted: string): string | undefined {
  const data = Buffer.from(encrypted.slice(form.length), 'base64url')
  if (!encrypted.startsWith(form) || data.length <= NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', keyOf(secret), data.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(boundTo(owner))
  decipher.setAuthTag(data.subarray(-TAG_BYTES))
  try {
    const plain = decipher.update(data.subarray(NONCE_BYTES, -TAG_BYTES))
    decipher.final()
    return plain.toString('base64url')
  } catch {
    return undefined
  }
}

const boundTo = ({ orgId, purpose, publicKey }: Owner): Buffer =>
  Buffer.from(prefixed(['agent-relay/org-key/v1', orgId, purpose, publicKey]))

/** AUTH_SECRET signs sessions too: each use has a key of its own. */
const keyOf = (secret: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'agent-relay/org-keys/v1', 32)))
