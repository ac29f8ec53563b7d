import { DAY_MS, MAX_BODY_BYTES, parseAddress } from '@agent-relay/protocol'
import { authorize, isId, type OrgCtx } from '#lib/access/authorize.ts'
import type { Agent } from '#lib/db/generated/client.ts'
import { withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import { publish } from '#lib/realtime/bus.ts'
import { findAgent } from '../agents/find-agent.ts'
import { findChannel } from '../channels/find-channel.ts'
import { addMember } from '../channels/membership.ts'
import { askingPerson } from '../channels/person-member.ts'
import type { Tx, UserActor } from '../context.ts'
import { nextRowId } from '../messages/row-id.ts'
import { plainText } from '../plain-text.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { conversationKey } from './conversation-key.ts'
import { queueDeliveries } from './queue-deliveries.ts'
import { sendDeliveries } from './send-deliveries.ts'

export type PersonMessage = { to: string; body: string; thread?: string | undefined; replyTo?: string | undefined }

const rate = { name: 'inbox.send', count: 120, windowMs: 60_000 }
const ttlMs = 7 * DAY_MS

/**
 * Sends what a person wrote in the dashboard to an agent (`Name`) or a channel (`#name`), which they join by it. The message
 * and its place in the stream to each agent are committed together; the agents' machines get it now or when they are back.
 * @throws DomainError NOT_FOUND, UNSUPPORTED_ADDRESS, BAD_REQUEST, TOO_LARGE, RATE_LIMITED
 */
export async function sendAsPerson(ctx: OrgCtx<UserActor>, input: PersonMessage): Promise<{ id: string; key: string }> {
  authorize(ctx.role, 'inbox.use')
  const wanted = readInput(input)
  checkRate(rate, ctx.actor.userId)
  countUse(rate, ctx.actor.userId)
  const sent = await withTransaction(ctx.db, async (tx) => {
    const person = await askingPerson(tx, ctx)
    const { place, agents, hasJoined } = await recipientsOf(tx, ctx, { ...wanted, label: `@${person.handle}` })
    const id = nextRowId()
    const now = new Date()
    const message = await tx.dashboardMessage.create({
      data: {
        id,
        orgId: ctx.org.id,
        ...('channelId' in place ? { channelId: place.channelId } : { userId: person.userId, agentId: place.agentId }),
        fromUserId: person.userId,
        fromName: person.handle,
        messageId: id,
        thread: wanted.thread === undefined ? null : plainText(wanted.thread),
        replyTo: await originalOf(tx, ctx, wanted.replyTo),
        body: plainText(wanted.body),
        sizeBytes: Buffer.byteLength(wanted.body),
        sentAt: now,
        storedAt: now,
        seenAt: now,
      },
    })
    const deliveries = await queueDeliveries(tx, { message, agents, ttlMs })
    return { id, deliveries, place, hasJoined }
  })
  const orgId = ctx.org.id
  const isChannel = 'channelId' in sent.place
  if (sent.hasJoined) publish('roster', { orgId })
  publish('hint', { orgId, kinds: isChannel ? ['inbox', 'channels'] : ['inbox'] })
  // It is queued: what goes wrong from here on is tried again, and an error would have the person send it twice.
  await sendDeliveries(ctx.db, sent.deliveries).catch(() => undefined)
  return { id: sent.id, key: conversationKey(isChannel ? 'channel' : 'agent', sent.place.name) }
}

function readInput(input: PersonMessage) {
  const sizeBytes = Buffer.byteLength(input.body)
  if (input.body.trim() === '') throw new DomainError('BAD_REQUEST', 'The message is empty: write something.')
  if (sizeBytes > MAX_BODY_BYTES)
    throw new DomainError(
      'TOO_LARGE',
      `The message has ${sizeBytes} bytes and the limit is ${MAX_BODY_BYTES} (256 KiB): send a shorter text.`,
    )
  if (input.replyTo !== undefined && !isId(input.replyTo))
    throw new DomainError('BAD_REQUEST', `${JSON.stringify(input.replyTo.slice(0, 80))} is not the id of a message.`)
  const parsed = parseAddress(input.to.trim())
  if (!parsed.ok) throw new DomainError('BAD_REQUEST', `${parsed.reason}. Write to an agent's name or a #channel.`)
  const { address } = parsed
  if (address.kind === 'channel') return { ...input, channel: address.channel }
  if (address.kind === 'agent' && address.project === undefined) return { ...input, agent: address.name }
  throw new DomainError(
    'UNSUPPORTED_ADDRESS',
    `${JSON.stringify(input.to)} cannot be written to from the dashboard: name one agent, or a #channel.`,
  )
}

type Wanted = ReturnType<typeof readInput> & { label: string }

async function recipientsOf(tx: Tx, ctx: OrgCtx<UserActor>, wanted: Wanted) {
  const orgId = ctx.org.id
  if ('agent' in wanted) {
    const agent = await findAgent(tx, { orgId, name: wanted.agent })
    if (agent.machine.revokedAt !== null)
      throw new DomainError('NOT_FOUND', `${agent.name} is gone: its machine ${agent.machine.name} was revoked.`)
    return { place: { agentId: agent.id, name: agent.name }, agents: [agent] as Agent[], hasJoined: false }
  }
  const channel = await findChannel(tx, { orgId, name: wanted.channel })
  // Counts the message, and keeps the channel from being removed before it is there.
  const { count } = await tx.channel.updateMany({ where: { id: channel.id }, data: { messageCount: { increment: 1 } } })
  if (count === 0) throw new DomainError('NOT_FOUND', `The channel #${channel.name} was removed a moment ago.`)
  const member = { channelId: channel.id, userId: ctx.actor.userId }
  let hasJoined = false
  if (!(await tx.channelMember.findUnique({ where: { channelId_userId: member } }))) {
    // Takes the organization's row, as every change of members does.
    await bumpRoster(tx, orgId)
    hasJoined = await addMember(tx, ctx, channel, { label: wanted.label, userId: ctx.actor.userId })
  }
  const agents = await tx.agent.findMany({
    where: { channels: { some: { channelId: channel.id } }, machine: { revokedAt: null } },
    orderBy: { nameKey: 'asc' },
  })
  return { place: { channelId: channel.id, name: channel.name }, agents, hasJoined }
}

/** Only a message that the person can read may be answered. */
async function originalOf(tx: Tx, { org, actor }: OrgCtx<UserActor>, id: string | undefined): Promise<string | null> {
  if (id === undefined) return null
  const isReadable = { orgId: org.id, OR: [{ userId: actor.userId }, { channelId: { not: null } }] }
  if (await tx.dashboardMessage.findFirst({ where: { ...isReadable, messageId: id }, select: { id: true } })) return id
  throw new DomainError('NOT_FOUND', 'The message that you answer is gone: send it without the reference.')
}
