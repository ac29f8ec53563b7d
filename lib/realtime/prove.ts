/** Before anything else a socket proves that it is the linked machine, and not only somebody with a copy of its key. */
import { createPublicKey, randomBytes, verify } from 'node:crypto'
import { type Challenge, controlProofText, Proof } from '@agent-relay/protocol'
import { DomainError } from '#lib/errors.ts'
import type { Db } from '#lib/services/context.ts'
import { bindIdentity } from '#lib/services/machines/bind-identity.ts'
import type { MachineSocket } from './machine-session.ts'

const proofMs = 5_000

/**
 * Challenges the machine; binds its identity when it has none yet. Returns the round trip in ms.
 * @throws DomainError TIMEOUT, IDENTITY_MISMATCH, CONFLICT
 */
export async function proveMachine(socket: MachineSocket, db: Db): Promise<number> {
  const { actor, publicKey, bootId } = socket.data
  const challenge: Challenge = {
    nonce: randomBytes(32).toString('base64url'),
    machineId: actor.machineId,
    org: actor.orgId,
  }
  const startedAt = performance.now()
  const answer = await socket
    .timeout(proofMs)
    .emitWithAck('challenge', challenge)
    .catch(() => {
      throw new DomainError('TIMEOUT', `The machine did not prove its identity within ${proofMs / 1000} s.`)
    })
  const latencyMs = performance.now() - startedAt
  const proof = Proof.safeParse(answer)
  if (!proof.success || !isSigned(proof.data, controlProofText(challenge, bootId))) throw mismatch
  if (publicKey !== null && publicKey !== proof.data.publicKey) throw mismatch
  if (publicKey === null)
    await bindIdentity(db, { machineId: actor.machineId, orgId: actor.orgId, publicKey: proof.data.publicKey })
  return latencyMs
}

const mismatch = new DomainError(
  'IDENTITY_MISMATCH',
  'This key belongs to a machine with another identity. A key is for one machine: link this one with agent-relay link',
)

function isSigned({ publicKey, signature }: Proof, text: string): boolean {
  if (!/^[A-Za-z0-9_-]{43}$/.test(publicKey)) return false
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
    return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'))
  } catch {
    return false
  }
}
