/** How a machine proves over HTTP that it is the linked one, and not only somebody with a copy of its key: request by request. */
import { prefixed } from './prefixed.ts'

/** `Agent-Relay-Proof: v1 <at> <nonce> <signature>`, beside the key in `Authorization`. */
export const PROOF_HEADER = 'agent-relay-proof'
/** How far the clocks of a machine and of the control plane may be apart. */
export const PROOF_SKEW_MS = 5 * 60_000

export type HttpProof = {
  /** ms since 1970 on the machine's clock. */
  at: number
  /** Random, and never used again: base64url, 16 to 43 characters. */
  nonce: string
  /** base64url Ed25519 of httpProofText. */
  signature: string
}

type ProvedRequest = {
  /** Empty when it does not know its id yet: it registers with a key that somebody made for it. */
  machineId: string
  method: string
  /** With the query, as it is asked for at the control plane's own address. */
  path: string
  /** base64url SHA-256 of the body's bytes, also when there are none. */
  bodyHash: string
} & Pick<HttpProof, 'at' | 'nonce'>

/** What the machine's identity signs, as UTF-8. */
export const httpProofText = ({ machineId, method, path, bodyHash, at, nonce }: ProvedRequest): string =>
  prefixed(['agent-relay/http/v1', machineId, method, path, bodyHash, String(at), nonce])

export const writeHttpProof = ({ at, nonce, signature }: HttpProof): string => `v1 ${at} ${nonce} ${signature}`

const form = /^v1 (\d{1,15}) ([A-Za-z0-9_-]{16,43}) ([A-Za-z0-9_-]{86})$/

/** The parts of the header; undefined for what is no such header. */
export function readHttpProof(header: string): HttpProof | undefined {
  const [, at, nonce, signature] = form.exec(header) ?? []
  return at && nonce && signature ? { at: Number(at), nonce, signature } : undefined
}
