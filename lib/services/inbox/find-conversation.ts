import { nameKey } from '@agent-relay/protocol'
import type { OrgCtx } from '#lib/access/authorize.ts'
import type { Prisma } from '#lib/db/generated/client.ts'
import { findAgent } from '../agents/find-agent.ts'
import { findChannel } from '../channels/find-channel.ts'
import type { UserActor } from '../context.ts'
import { readKey } from './conversation-key.ts'

export type FoundConversation = ({ agentId: string } | { channelId: string }) & {
  name: string
  /** Its rows of DashboardMessage, for the person who asks. */
  where: Prisma.DashboardMessageWhereInput
}

/** What a conversation's key means for the person who asks. @throws DomainError NOT_FOUND */
export async function findConversation(
  { db, org, actor }: Pick<OrgCtx<UserActor>, 'db' | 'org' | 'actor'>,
  text: string,
): Promise<FoundConversation> {
  const { kind, key } = readKey(text)
  if (kind === 'channel') {
    const { id, name } = await findChannel(db, { orgId: org.id, name: key })
    return { channelId: id, name, where: { orgId: org.id, channelId: id } }
  }
  const { id, name } = await findAgent(db, { orgId: org.id, name: nameKey(key) })
  return { agentId: id, name, where: { orgId: org.id, userId: actor.userId, agentId: id } }
}
