import { ChannelName, nameKey } from '@agent-relay/protocol'
import { writeAudit } from '#lib/audit/write-audit.ts'
import type { Channel } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import type { Actor, Ctx, Tx } from '../context.ts'
import { CHANNELS } from '../inbox/limits.ts'

type NewChannel = { orgId: string; name: string; topic: string | null; createdBy: string; ownerId: string | null }

/**
 * Makes the channel, in a transaction that holds the organization's lock and knows that the name is free.
 * @throws DomainError NAME_INVALID, PLAN_LIMIT
 */
export async function insertChannel(tx: Tx, ctx: Ctx<Actor>, wanted: NewChannel): Promise<Channel> {
  const parsed = ChannelName.safeParse(wanted.name)
  if (!parsed.success)
    throw new DomainError(
      'NAME_INVALID',
      `${JSON.stringify(wanted.name.slice(0, 80))}: ${parsed.error.issues[0]?.message}. Choose another name.`,
      { details: { field: 'name' } },
    )
  const count = await tx.channel.count({ where: { orgId: wanted.orgId } })
  if (count >= CHANNELS)
    throw new DomainError('PLAN_LIMIT', `There are ${count} channels and the limit is ${CHANNELS}: remove one first.`, {
      details: { what: 'channels', limit: CHANNELS, use: count },
    })
  const channel = await tx.channel.create({ data: { ...wanted, nameKey: nameKey(wanted.name) } })
  await writeAudit(tx, ctx, {
    orgId: wanted.orgId,
    action: 'channel.create',
    target: channelTarget(channel),
    after: { name: channel.name, ...(channel.topic !== null && { topic: channel.topic }) },
  })
  return channel
}

export const channelTarget = ({ id, name }: Pick<Channel, 'id' | 'name'>) => ({
  kind: 'channel',
  id,
  label: `#${name}`,
})
