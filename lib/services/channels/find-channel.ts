import { nameKey, nearestNames } from '@agent-relay/protocol'
import type { Channel } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import type { Db, Tx } from '../context.ts'
import { CHANNELS } from '../inbox/limits.ts'

/** The channel of this name, with or without `#`. @throws DomainError NOT_FOUND with details {nearest} */
export async function findChannel(db: Db | Tx, { orgId, name }: { orgId: string; name: string }): Promise<Channel> {
  const wanted = name.replace(/^#/, '').slice(0, 64)
  const channel = await db.channel.findUnique({ where: { orgId_nameKey: { orgId, nameKey: nameKey(wanted) } } })
  if (channel) return channel
  const known = await db.channel.findMany({ where: { orgId }, select: { name: true }, take: CHANNELS })
  const nearest = nearestNames(
    wanted,
    known.map((other) => other.name),
  )
  const hint = nearest.length > 0 ? ` Did you mean ${nearest.map((near) => `#${near}`).join(' or ')}?` : ''
  throw new DomainError(
    'NOT_FOUND',
    `There is no channel ${JSON.stringify(`#${wanted}`)} here.${hint} Joining it as an agent makes it: agent-relay join ${JSON.stringify(`#${wanted}`)}`,
    { details: { nearest } },
  )
}
