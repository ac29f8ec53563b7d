import { isIP } from 'node:net'
import { connect } from 'node:tls'

/** From dialing to the certificate. A peer that is slower than this is no good candidate either. */
const CALL_BACK_MS = 3_000

type Callee = {
  /** An IP address, never a name: what is dialed is what was seen. */
  address: string
  port: number
  /** base64url raw Ed25519. */
  publicKey: string
}

/**
 * Whether a machine answers TLS at this address with the key that it is registered with. The handshake proves that it holds
 * the key, so no authority is asked; nothing is sent after it.
 */
export async function callBack({ address, port, publicKey }: Callee): Promise<{ isReachable: boolean; why: string }> {
  if (isIP(address) === 0)
    return { isReachable: false, why: 'The control plane does not see an address of this machine.' }
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, rejectUnauthorized: false, minVersion: 'TLSv1.3' })
    const end = (isReachable: boolean, why: string): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ isReachable, why })
    }
    const timer = setTimeout(() => end(false, `Nothing answered within ${CALL_BACK_MS / 1000} s.`), CALL_BACK_MS)
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      end(
        false,
        code !== undefined && /^E[A-Z]+$/.test(code)
          ? `The connection failed (${code}).`
          : 'What answered speaks no TLS 1.3.',
      ),
    )
    socket.once('close', () => end(false, 'What answered closed the connection.'))
    socket.once('secureConnect', () => {
      const key = socket.getPeerX509Certificate()?.publicKey
      const isOwn = key?.asymmetricKeyType === 'ed25519' && key.export({ format: 'jwk' }).x === publicKey
      end(isOwn, isOwn ? 'This machine answered with its own key.' : 'What answered there is not this machine.')
    })
  })
}
