import { DomainError } from '#lib/errors.ts'
import type { Db, Tx } from '../context.ts'

/**
 * Binds the machine to this identity when it has none yet; else checks that it is the same.
 * @throws DomainError IDENTITY_MISMATCH for another identity, CONFLICT when another machine of the organization has it
 */
export async function bindIdentity(
  tx: Db | Tx,
  { machineId, orgId, publicKey }: { machineId: string; orgId: string; publicKey: string },
): Promise<void> {
  const machine = await tx.machine.findUniqueOrThrow({ where: { id: machineId }, select: { publicKey: true } })
  if (machine.publicKey === publicKey) return
  if (machine.publicKey === null) {
    const twin = await tx.machine.findFirst({ where: { orgId, publicKey, revokedAt: null }, select: { name: true } })
    if (twin)
      throw new DomainError(
        'CONFLICT',
        `This machine is already linked as ${twin.name}. Go on with that key, or run: agent-relay unlink`,
      )
    const { count } = await tx.machine.updateMany({ where: { id: machineId, publicKey: null }, data: { publicKey } })
    if (count === 1) return
  }
  throw new DomainError(
    'IDENTITY_MISMATCH',
    'This key belongs to a machine with another identity. A key is for one machine: link this one with agent-relay link',
  )
}
