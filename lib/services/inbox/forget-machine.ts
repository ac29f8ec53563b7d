import type { Tx } from '../context.ts'

/** What a revoked machine takes along: its agents' channels, what people's messages still waited for, what it was owed. */
export async function forgetMachine(tx: Tx, machineId: string): Promise<void> {
  await tx.channelMember.deleteMany({ where: { agent: { machineId } } })
  await tx.personDelivery.updateMany({
    where: { machineId, state: { in: ['queued', 'stored'] } },
    data: { state: 'failed', reason: 'KEY_REVOKED' },
  })
  await tx.owedReceipt.deleteMany({ where: { machineId } })
}
