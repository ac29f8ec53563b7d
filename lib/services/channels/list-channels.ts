import type { AgentStatus } from '@agent-relay/protocol'
import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import type { Prisma } from '#lib/db/generated/client.ts'
import type { ChannelRow } from '#lib/trpc/views.ts'
import type { UserActor } from '../context.ts'
import { CHANNELS } from '../inbox/limits.ts'
import { type Person, peopleOf } from '../inbox/people.ts'
import { channelActivity } from './channel-activity.ts'
import { findChannel } from './find-channel.ts'

const fields = {
  members: {
    include: {
      agent: {
        select: {
          name: true,
          status: true,
          releasedAt: true,
          machine: { select: { name: true, revokedAt: true } },
        },
      },
    },
    orderBy: { id: 'asc' },
  },
} as const satisfies Prisma.ChannelInclude
type Found = Prisma.ChannelGetPayload<{ include: typeof fields }>

/** Every channel of the organization by name, with its members, and what of it the person who asks has not read. */
export async function listChannels(ctx: OrgCtx<UserActor>): Promise<ChannelRow[]> {
  authorize(ctx.role, 'org.read')
  return rowsOf(ctx, {})
}

/** One of them. @throws DomainError NOT_FOUND */
export async function getChannel(ctx: OrgCtx<UserActor>, name: string): Promise<ChannelRow> {
  const { id } = await findChannel(ctx.db, { orgId: ctx.org.id, name })
  const [row] = await rowsOf(ctx, { id })
  return row ?? getChannel(ctx, name)
}

async function rowsOf(ctx: OrgCtx<UserActor>, where: Prisma.ChannelWhereInput): Promise<ChannelRow[]> {
  const orgId = ctx.org.id
  const [channels, people, activity] = await Promise.all([
    ctx.db.channel.findMany({
      where: { ...where, orgId },
      include: fields,
      orderBy: { nameKey: 'asc' },
      take: CHANNELS,
    }),
    peopleOf(ctx.db, orgId),
    channelActivity(ctx),
  ])
  const byId = new Map(people.map((person) => [person.userId, person]))
  return channels.map((channel) => {
    const { lastAt, unread } = activity.get(channel.id) ?? { lastAt: null, unread: 0 }
    return {
      name: channel.name,
      topic: channel.topic,
      members: channel.members.flatMap((member) => memberRow(member, byId) ?? []),
      isMember: channel.members.some(({ userId }) => userId === ctx.actor.userId),
      createdBy: channel.createdBy,
      createdAt: channel.createdAt.getTime(),
      lastAt,
      unread,
    }
  })
}

function memberRow(
  { agent, userId }: Found['members'][number],
  people: Map<string, Person>,
): ChannelRow['members'][number] | undefined {
  if (agent) {
    const isThere = agent.releasedAt === null && agent.machine.revokedAt === null
    const status: AgentStatus = isThere ? agent.status : 'offline'
    return { kind: 'agent', name: agent.name, machine: agent.machine.name, status }
  }
  const person = people.get(userId ?? '')
  return person && { kind: 'person', name: person.handle, machine: null, status: null }
}
