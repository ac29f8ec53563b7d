/** TLS of a direct link: 1.3 only, certificates from both ends, of Ed25519 keys only; and what it proves of the other end. */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { type Certificate, certifiedKey } from './certificate.ts'

export type Secured = {
  socket: TLSSocket
  /** The identity that the other end proved to hold; undefined when it showed none that could be one. */
  peerKey: string | undefined
  /** base64url of RFC 9266's tls-exporter: the same at both ends of this connection, and of no other. */
  binding: string
}

const BINDING_BYTES = 32

export function secureContextOf({ cert, key }: Certificate): SecureContext {
  return createSecureContext({
    cert,
    key,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    sigalgs: 'ed25519',
    // Every link proves itself anew: none is resumed by a ticket that outlives a revocation.
    secureOptions: constants.SSL_OP_NO_TICKET,
  })
}

/** Nobody outside vouches for a certificate: the caller compares its key with the roster. Rejects when TLS fails. */
export async function secure(raw: Socket, role: 'dialer' | 'listener', secureContext: SecureContext): Promise<Secured> {
  const socket =
    role === 'dialer'
      ? connect({ socket: raw, secureContext, rejectUnauthorized: false })
      : new TLSSocket(raw, { isServer: true, secureContext, requestCert: true, rejectUnauthorized: false })
  // Sockets die at any point; who cares listens to 'close'.
  socket.on('error', () => undefined)
  await new Promise<void>((resolve, reject) => {
    socket.once(role === 'dialer' ? 'secureConnect' : 'secure', resolve)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed within TLS')))
  })
  const exported = socket.exportKeyingMaterial(BINDING_BYTES, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  return {
    socket,
    peerKey: certifiedKey(socket.getPeerX509Certificate()),
    binding: exported.toString('base64url'),
  }
}
