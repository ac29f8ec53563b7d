/** Who the machines of every run are: the same Ed25519 keys for all seeds and processes, because which key is greater decides. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { signText } from '@agent-relay/protocol/crypto'

export type Identity = { publicKey: string; pem: string; sign(text: string): string }

/** An Ed25519 key in PKCS #8 is this and its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const known = new Map<string, Identity>()

export function identityOf(machine: string): Identity {
  let identity = known.get(machine)
  if (identity === undefined) {
    const seed = createHash('sha256').update(`a simulated machine ${machine}`).digest()
    identity = newIdentity(createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' }))
    known.set(machine, identity)
  }
  return identity
}

const newIdentity = (key: KeyObject): Identity => ({
  publicKey: createPublicKey(key).export({ format: 'jwk' }).x as string,
  pem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
  sign: (text) => signText(key, text),
})
