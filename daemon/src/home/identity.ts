/** identity.key: this machine's Ed25519 key. It never leaves the home; the control plane and peers know its public half. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { chmodSync, linkSync, readFileSync, rmSync } from 'node:fs'
import { RelayError } from '../errors.ts'
import { codeOf, syncFolder, unwritable, writePrivate } from './files.ts'
import type { HomePaths } from './paths.ts'

export type Identity = {
  /** base64url of the raw 32 byte public key. */
  publicKey: string
  /** base64url Ed25519 signature of the text's UTF-8 bytes. */
  sign(text: string): string
}

/** The identity with its private half. */
export type OwnIdentity = Identity & {
  /** PKCS #8. Goes into TLS and nowhere else. */
  pem: string
}

/** The identity of this home, or undefined when none was made yet. Throws a RelayError when the file is broken. */
export function readIdentity(paths: HomePaths): OwnIdentity | undefined {
  let pem: string
  try {
    pem = readFileSync(paths.identity, 'utf8')
    if (process.platform !== 'win32') chmodSync(paths.identity, 0o600)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw unwritable(paths.identity, error)
  }
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(`a key of type ${key.asymmetricKeyType}`)
    return identityOf(key)
  } catch (error) {
    throw new RelayError(
      'BAD_REQUEST',
      `${paths.identity} is not an Ed25519 private key: restore it from a backup, or move it away and run: agent-relay link`,
      { cause: error },
    )
  }
}

/** The identity of this home, made now when there is none. Two processes that make it at once end with the same one. */
export function ensureIdentity(paths: HomePaths): OwnIdentity {
  const known = readIdentity(paths)
  if (known !== undefined) return known
  const { privateKey } = generateKeyPairSync('ed25519')
  const draft = `${paths.identity}.${process.pid}`
  writePrivate(draft, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
  try {
    // link() never replaces: whoever comes second keeps the first one's key.
    linkSync(draft, paths.identity)
    syncFolder(paths.home)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unwritable(paths.identity, error)
  } finally {
    rmSync(draft, { force: true })
  }
  return readIdentity(paths) ?? identityOf(privateKey)
}

/**
 * Ends this identity: the next link makes another. For a machine that left its organization, which knows it no more; two homes
 * of which one is a copy of the other become two machines by it.
 */
export function forgetIdentity(paths: HomePaths): void {
  try {
    rmSync(paths.identity, { force: true })
    // A copy of this home has the same seal keys, and nobody would sign them for it.
    rmSync(paths.seal, { force: true })
    syncFolder(paths.home)
  } catch (error) {
    throw unwritable(paths.identity, error)
  }
}

function identityOf(privateKey: KeyObject): OwnIdentity {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (x === undefined) throw new Error('an Ed25519 public key without its coordinate')
  return {
    publicKey: x,
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64url'),
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}
