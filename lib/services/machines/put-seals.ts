import { diffieHellman } from 'node:crypto'
import type { SealKey } from '@agent-relay/protocol'
import { isOwnSealKey, newKeyPair, privateKeyOf, publicKeyOf } from '@agent-relay/protocol/crypto'
import { withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import { publish } from '#lib/realtime/bus.ts'
import type { Ctx, MachineActor } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'

/**
 * From now on messages for this machine are sealed to the first of these keys; the second opens what is under way. Each must
 * be signed by the identity that the machine is registered with. The same ones again change nothing.
 * @throws DomainError KEY_REVOKED, IDENTITY_MISMATCH for a key that is not this machine's, BAD_REQUEST for one that seals nothing
 */
export async function putSeals(ctx: Ctx<MachineActor>, seals: SealKey[]): Promise<void> {
  const { machineId, orgId } = ctx.actor
  const machine = await ctx.db.machine.findFirst({
    where: { id: machineId, orgId, revokedAt: null },
    select: { publicKey: true, seals: true },
  })
  if (!machine)
    throw new DomainError('KEY_REVOKED', 'This machine was revoked. To link it again, run: agent-relay link')
  const { publicKey } = machine
  if (publicKey === null || !seals.every((seal) => isOwnSealKey(publicKey, orgId, machineId, seal)))
    throw new DomainError(
      'IDENTITY_MISMATCH',
      "A seal key of this machine is not signed by the machine's own identity, so nobody could trust it.",
    )
  const useless = seals.find(({ key }) => !canAgree(key))
  if (useless)
    throw new DomainError('BAD_REQUEST', `Nothing can be sealed to the key ${useless.key}: make another one.`)
  const rows = seals.map(({ key, signature }) => ({ key, signature }))
  const isSame = JSON.stringify(rows) === JSON.stringify(machine.seals)
  if (isSame) return
  await withTransaction(ctx.db, async (tx) => {
    await bumpRoster(tx, orgId)
    await tx.machine.update({ where: { id: machineId }, data: { seals: rows } })
  })
  publish('roster', { orgId })
}

/** Some points of the curve agree with every key on nothing; senders would fail on each message. */
function canAgree(key: string): boolean {
  try {
    const privateKey = privateKeyOf('X25519', newKeyPair('X25519'))
    return diffieHellman({ privateKey, publicKey: publicKeyOf('X25519', key) }).length === 32
  } catch {
    return false
  }
}
