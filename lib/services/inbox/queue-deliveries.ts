/** The control plane as a sender: the deliveries of people's messages are its outbox, gapless streams as any machine's. */
import { randomBytes } from 'node:crypto'
import type { Agent, DashboardMessage } from '#lib/db/generated/client.ts'
import type { Tx } from '../context.ts'
import { nextRowId } from '../messages/row-id.ts'

type Outgoing = {
  message: DashboardMessage
  agents: Pick<Agent, 'name' | 'nameKey' | 'machineId'>[]
  ttlMs: number
}

/**
 * Gives the message its place in the stream to each agent, in the transaction of the message. Returns the ids of the
 * deliveries; sendDeliveries puts them on their way after the commit.
 */
export async function queueDeliveries(tx: Tx, { message, agents, ttlMs }: Outgoing): Promise<string[]> {
  if (agents.length === 0) return []
  const places = await takePlaces(tx, message.fromUserId as string, agents)
  const rows = agents.map((agent, n) => ({
    // A message to one agent travels under its own id, so that the agent's answer names it.
    id: message.channelId === null && n === 0 ? message.id : nextRowId(),
    orgId: message.orgId,
    rowId: message.id,
    machineId: agent.machineId,
    agentName: agent.name,
    ...(places.get(placeKey(agent)) as Place),
    state: 'queued' as const,
    expiresAt: new Date(message.storedAt.getTime() + ttlMs),
  }))
  await tx.personDelivery.createMany({ data: rows })
  return rows.map(({ id }) => id)
}

type Where = Pick<Agent, 'machineId' | 'nameKey'>
export type Place = { stream: string; seq: number; outboxEpoch: string }
const placeKey = ({ machineId, nameKey }: Where): string => `${machineId} ${nameKey}`

/** The next place of one stream. */
export const takePlace = async (tx: Tx, userId: string, agent: Where): Promise<Place> =>
  (await takePlaces(tx, userId, [agent])).get(placeKey(agent)) as Place

/** The next place of each stream. The rows stay locked until the commit: whoever rolls back leaves no hole. */
async function takePlaces(tx: Tx, userId: string, agents: Where[]): Promise<Map<string, Place>> {
  const wanted = agents.map(({ machineId, nameKey }) => ({
    machine: machineId,
    key: nameKey,
    epoch: randomBytes(8).toString('hex'),
  }))
  // In one order for everybody, so that two messages to the same agents do not wait for each other in a ring.
  const rows = await tx.$queryRaw<{ machineId: string; agentKey: string; outboxEpoch: string; seq: number }[]>`
    INSERT INTO "PersonStream" AS known ("userId", "machineId", "agentKey", "outboxEpoch", "nextSeq")
    SELECT ${userId}::uuid, machine, key, epoch, 1
    FROM jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) AS r(machine uuid, key text, epoch text) ORDER BY machine, key
    ON CONFLICT ("userId", "machineId", "agentKey") DO UPDATE SET "nextSeq" = known."nextSeq" + 1
    RETURNING known."machineId"::text AS "machineId", known."agentKey", known."outboxEpoch", known."nextSeq" - 1 AS seq`
  return new Map(
    rows.map(({ machineId, agentKey, outboxEpoch, seq }) => [
      placeKey({ machineId, nameKey: agentKey }),
      { stream: `${userId}>${agentKey}@${machineId}`, seq, outboxEpoch },
    ]),
  )
}
