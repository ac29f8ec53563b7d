/** Raw keys as they travel, and the key objects that they are for. Ed25519 proves, X25519 seals. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'

type Curve = 'Ed25519' | 'X25519'
/** A private key as it is kept: base64url of both halves, raw. */
export type KeyPair = { publicKey: string; privateKey: string }

export function newKeyPair(curve: Curve): KeyPair {
  const { privateKey } = curve === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519')
  const { x, d } = privateKey.export({ format: 'jwk' })
  if (x === undefined || d === undefined) throw new Error(`a ${curve} key without its coordinates`)
  return { publicKey: x, privateKey: d }
}

/** Throws for what is no key of this curve. */
export const publicKeyOf = (curve: Curve, key: string): KeyObject =>
  createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: curve, x: key } })

/** Throws for what is no key of this curve. */
export const privateKeyOf = (curve: Curve, { publicKey, privateKey }: KeyPair): KeyObject =>
  createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: curve, x: publicKey, d: privateKey } })

/** base64url Ed25519 signature of the text's UTF-8 bytes. */
export const signText = (key: KeyObject, text: string): string =>
  signBytes(null, Buffer.from(text), key).toString('base64url')

/** Whether `signature` is `publicKey`'s over the text; false, too, for what is no key or no signature. */
export function isSigned(publicKey: string, text: string, signature: string): boolean {
  try {
    return verifyBytes(null, Buffer.from(text), publicKeyOf('Ed25519', publicKey), Buffer.from(signature, 'base64url'))
  } catch {
    return false
  }
}
