/**
 * The certificate that a machine shows on direct links: self-signed, and its key is the machine's Ed25519 identity. It says
 * nothing else, no names and no dates, for nobody asks them: the other end compares the key with its roster, and TLS proves it.
 */
import { createPrivateKey, createPublicKey, webcrypto, type X509Certificate } from 'node:crypto'

/** PEM, both. */
export type Certificate = { cert: string; key: string }

/** In every certificate: who is behind it stands in the roster only. */
const SUBJECT = 'CN=agent-relay'
/** Clocks of laptops are wrong; a machine's certificate is good for as long as its key is in the roster. RFC 5280 4.1.2.5. */
const ALWAYS = { notBefore: new Date(0), notAfter: new Date('9999-12-31T23:59:59Z') }

/** The same bytes each time for one key. `identityKey` is Ed25519, PEM. Throws for another key. */
export async function createCertificate(identityKey: string): Promise<Certificate> {
  const privateKey = createPrivateKey(identityKey)
  if (privateKey.asymmetricKeyType !== 'ed25519')
    throw new Error(`an identity of type ${privateKey.asymmetricKeyType}, where Ed25519 belongs`)
  // Both are large, and only whoever links directly needs them: loaded late. The second does not load without the first.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const signingAlgorithm = { name: 'Ed25519' }
  const imported = (format: 'pkcs8' | 'spki', der: Uint8Array<ArrayBuffer>, use: 'sign' | 'verify') =>
    webcrypto.subtle.importKey(format, der, signingAlgorithm, true, [use])
  const keys = {
    privateKey: await imported('pkcs8', bytes(privateKey.export({ type: 'pkcs8', format: 'der' })), 'sign'),
    publicKey: await imported(
      'spki',
      bytes(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })),
      'verify',
    ),
  } as CryptoKeyPair // Node's own type of it knows more uses of keys than the library's.
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    { serialNumber: '01', name: SUBJECT, ...ALWAYS, keys, signingAlgorithm },
    webcrypto as Crypto,
  )
  return { cert: certificate.toString('pem'), key: identityKey }
}

const bytes = (der: Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(der)

/** The raw Ed25519 key of the other end's certificate, base64url; undefined without one, and for a key of another kind. */
export function certifiedKey(certificate: X509Certificate | undefined): string | undefined {
  try {
    const { kty, crv, x } = certificate?.publicKey.export({ format: 'jwk' }) ?? {}
    return kty === 'OKP' && crv === 'Ed25519' ? x : undefined
  } catch {
    // A kind of key that this Node cannot say as JWK.
    return undefined
  }
}
