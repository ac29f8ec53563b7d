import { nameKey } from '@agent-relay/protocol'
import type { Prisma } from '#lib/db/generated/client.ts'
import type { Tx } from '../context.ts'
import { storeEnvelopes } from '../messages/store-mail.ts'
import { envelopeHead, placeKey, recipientOf, takePlaces } from './queue-envelopes.ts'

/**
 * Sends a person's message to where its agent lives now, after the machine that it was sent to refused it: it certainly is
 * in no inbox. Returns that machine; undefined when the agent has not moved, or there is no time or room left.
 */
export async function reroute(tx: Tx, where: Prisma.PersonDeliveryWhereInput): Promise<string | undefined> {
  const delivery = await tx.personDelivery.findFirst({
    where,
    include: { message: { include: { channel: { select: { name: true } } } } },
  })
  const userId = delivery?.message.fromUserId
  const ttlMs = delivery ? delivery.expiresAt.getTime() - Date.now() : 0
  if (!delivery || !userId || ttlMs <= 0) return undefined
  const { id, orgId, message } = delivery
  const agent = await tx.agent.findFirst({
    where: { orgId, nameKey: nameKey(delivery.agentName), machine: { revokedAt: null } },
  })
  if (!agent || agent.machineId === delivery.machineId) return undefined
  const place = (await takePlaces(tx, userId, [agent])).get(placeKey(agent))
  if (!place) return undefined
  const to = recipientOf(agent, message.channel?.name)
  const stored = await storeEnvelopes(tx, orgId, [{ ...envelopeHead(message), id, to, ...place, ttlMs }])
  // Its place stays empty, which the machine is told when it asks.
  if (!stored.has(id)) return undefined
  await tx.personDelivery.update({
    where: { id },
    data: { machineId: agent.machineId, ...place, state: 'stored', acceptedAt: null },
  })
  return agent.machineId
}
