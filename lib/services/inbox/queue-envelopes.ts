/** The control plane as a sender: its outbox is the recipients' mailboxes, in the transaction of the person's message. */
import { randomBytes } from 'node:crypto'
import { DASHBOARD_AGENT, type Envelope } from '@agent-relay/protocol'
import type { Agent, DashboardMessage, PersonDelivery } from '#lib/db/generated/client.ts'
import type { Tx } from '../context.ts'
import { nextRowId } from '../messages/row-id.ts'
import { storeEnvelopes } from '../messages/store-mail.ts'

type Outgoing = {
  message: DashboardMessage
  agents: Pick<Agent, 'name' | 'nameKey' | 'machineId' | 'project'>[]
  /** As registered; undefined for a message to one agent. */
  channel: string | undefined
  ttlMs: number
}

/**
 * Gives the message its place in the stream to each agent and commits its envelopes to their machines' mailboxes. What a
 * full mailbox does not take has failed, and its place is filled by an empty envelope when the recipient asks for it.
 */
export async function queueEnvelopes(tx: Tx, { message, agents, channel, ttlMs }: Outgoing): Promise<PersonDelivery[]> {
  if (agents.length === 0) return []
  const places = await takePlaces(tx, message.fromUserId as string, agents)
  const expiresAt = new Date(message.storedAt.getTime() + ttlMs)
  const queued = agents.map((agent, n) => {
    const place = places.get(placeKey(agent)) as Place
    // A message to one agent travels under its own id, so that the agent's answer names it.
    return { id: channel === undefined && n === 0 ? message.id : nextRowId(), agent, ...place }
  })
  const stored = await storeEnvelopes(
    tx,
    message.orgId,
    queued.map(({ id, agent, stream, seq, outboxEpoch }) => ({
      ...envelopeHead(message),
      id,
      to: recipientOf(agent, channel),
      stream,
      outboxEpoch,
      seq,
      ttlMs,
    })),
  )
  return tx.personDelivery.createManyAndReturn({
    data: queued.map(({ id, agent, stream, seq, outboxEpoch }) => ({
      id,
      orgId: message.orgId,
      rowId: message.id,
      machineId: agent.machineId,
      agentName: agent.name,
      stream,
      outboxEpoch,
      seq,
      expiresAt,
      ...(stored.has(id) ? { state: 'stored' as const } : { state: 'failed' as const, reason: 'MAILBOX_FULL' }),
    })),
  })
}

/** What every copy of a person's message says. */
export const envelopeHead = (
  message: DashboardMessage,
): Omit<Envelope, 'id' | 'to' | 'stream' | 'outboxEpoch' | 'seq' | 'ttlMs'> => ({
  v: 1,
  org: message.orgId,
  from: { machine: message.orgId, agent: DASHBOARD_AGENT, epoch: 1, user: message.fromName },
  ...(message.thread !== null && { thread: message.thread }),
  ...(message.replyTo !== null && { replyTo: message.replyTo }),
  priority: 1,
  ts: message.sentAt.getTime(),
  trace: message.id,
  body: message.body,
})

export const recipientOf = (
  agent: Pick<Agent, 'machineId' | 'name' | 'project'>,
  channel: string | undefined,
): Envelope['to'] => ({
  machine: agent.machineId,
  agent: agent.name,
  ...(agent.project !== null && { project: agent.project }),
  ...(channel !== undefined && { via: `#${channel}`, channel }),
})

type Where = Pick<Agent, 'machineId' | 'nameKey'>
type Place = { stream: string; seq: number; outboxEpoch: string }
export const placeKey = ({ machineId, nameKey }: Where): string => `${machineId} ${nameKey}`

/** The next place of each stream. The rows stay locked until the commit: whoever rolls back leaves no hole. */
export async function takePlaces(tx: Tx, userId: string, agents: Where[]): Promise<Map<string, Place>> {
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
