import { nameKey } from '@agent-relay/protocol'
import type { Prisma } from '#lib/db/generated/client.ts'
import type { Tx } from '../context.ts'
import { takePlace } from './queue-deliveries.ts'

/**
 * Queues a person's message for where its agent lives now, after the machine that it was sent to refused it: it certainly is
 * in no inbox. False when the agent has not moved, or the time is over; then nothing changed.
 */
export async function reroute(tx: Tx, where: Prisma.PersonDeliveryWhereInput): Promise<boolean> {
  const delivery = await tx.personDelivery.findFirst({ where, include: { message: { select: { fromUserId: true } } } })
  const userId = delivery?.message.fromUserId
  if (!delivery || !userId || delivery.expiresAt.getTime() <= Date.now()) return false
  const { id, orgId, agentName } = delivery
  const agent = await tx.agent.findFirst({
    where: { orgId, nameKey: nameKey(agentName), machine: { revokedAt: null } },
  })
  if (!agent || agent.machineId === delivery.machineId) return false
  const place = await takePlace(tx, userId, agent)
  await tx.personDelivery.update({
    where: { id },
    data: { machineId: agent.machineId, ...place, state: 'queued', acceptedAt: null },
  })
  return true
}
