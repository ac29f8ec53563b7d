/** Before anything else a socket proves that it is the linked machine, and not only somebody with a copy of its key. */
import { randomBytes } from 'node:crypto'
import { type Challenge, controlProofText, Proof, PublicKey } from '@agent-relay/protocol'
import { isSigned } from '@agent-relay/protocol/crypto'
import { DomainError } from '#lib/errors.ts'
import type { Db } from '#lib/services/context.ts'
import { bindIdentity } from '#lib/services/machines/bind-identity.ts'
import type { MachineSocket } from './machine-session.ts'

const proofMs = 5_000

/**
 * Challenges the machine; binds its identity when it has none yet. Returns the round trip in ms, and what it said.
 * @throws DomainError TIMEOUT, IDENTITY_MISMATCH, CONFLICT
 */
export async function proveMachine(socket: MachineSocket, db: Db): Promise<{ latencyMs: number; proof: Proof }> {
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
  const { success, data: proof } = Proof.safeParse(answer)
  if (!success || !PublicKey.safeParse(proof.publicKey).success) throw mismatch
  if (!isSigned(proof.publicKey, controlProofText(challenge, bootId), proof.signature)) throw mismatch
  if (publicKey !== null && publicKey !== proof.publicKey) throw mismatch
  if (publicKey === null)
    await bindIdentity(db, { machineId: actor.machineId, orgId: actor.orgId, publicKey: proof.publicKey })
  return { latencyMs, proof }
}

const mismatch = new DomainError(
  'IDENTITY_MISMATCH',
  'This key belongs to a machine with another identity. A key is for one machine: link this one with agent-relay link',
)
