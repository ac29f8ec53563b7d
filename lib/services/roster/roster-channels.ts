import type { RosterChannel } from '@agent-relay/protocol'
import type { Tx } from '../context.ts'
import type { Person } from '../inbox/people.ts'

/** The channels as machines know them; `people` are the organization's. */
export async function rosterChannels(tx: Tx, orgId: string, people: Person[]): Promise<RosterChannel[]> {
  const channels = await tx.channel.findMany({
    where: { orgId },
    select: {
      name: true,
      topic: true,
      members: { select: { userId: true, agent: { select: { nameKey: true } } }, orderBy: { id: 'asc' } },
    },
    orderBy: { nameKey: 'asc' },
  })
  const handles = new Map(people.map(({ userId, handle }) => [userId, handle]))
  return channels.map(({ name, topic, members }) => ({
    name,
    members: members.flatMap(({ agent }) => agent?.nameKey ?? []),
    people: members.flatMap(({ userId }) => handles.get(userId ?? '') ?? []),
    ...(topic !== null && { topic }),
  }))
}
