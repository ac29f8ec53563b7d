/** The headers of a machine that proves its requests, and of one that tries to without being it. */
import { createHash, randomBytes } from 'node:crypto'
import { httpProofText, PROOF_HEADER, writeHttpProof } from '@agent-relay/protocol'
import { signText } from '@agent-relay/protocol/crypto'
import type { LinkedMachine } from './machines.ts'

export type Asked = { method: string; path: string; body?: string | Uint8Array }
export type Changed = { at?: number; nonce?: string; machineId?: string; signer?: LinkedMachine['identity'] }

export const newNonce = (): string => randomBytes(16).toString('base64url')

/** Key and proof of this machine for exactly this request. */
export function provedHeaders(
  machine: Pick<LinkedMachine, 'id' | 'key' | 'identity'>,
  { method, path, body = '' }: Asked,
  { at = Date.now(), nonce = newNonce(), machineId = machine.id, signer = machine.identity }: Changed = {},
): Record<string, string> {
  const bodyHash = createHash('sha256').update(body).digest('base64url')
  const signature = signText(signer.privateKey, httpProofText({ machineId, method, path, bodyHash, at, nonce }))
  return { authorization: `Bearer ${machine.key}`, [PROOF_HEADER]: writeHttpProof({ at, nonce, signature }) }
}
