import type { Roster, RosterAgent, RosterMachine } from '@agent-relay/protocol'
import { DASHBOARD_AGENT, type SealKey, SealKeys } from '@agent-relay/protocol'
import { DomainError } from '#lib/errors.ts'
import { type Db, personName } from '../context.ts'
import { peopleOf } from '../inbox/people.ts'
import { cloudSealKeysOf } from '../keys/cloud-seal-keys.ts'
import { archiveKeyOf, cloudIdentityOf } from '../keys/org-keys.ts'
import { rosterChannels } from './roster-channels.ts'

const person = { select: { handle: true, name: true, email: true } } as const

/**
 * Machines, agents and version of an organization, all as of one moment.
 * @throws DomainError NOT_FOUND for a deleted organization, UNAVAILABLE when its keys cannot be read
 */
export async function buildRoster(db: Db, orgId: string): Promise<Roster> {
  // First, because keys that are made or replaced now bring a new version.
  await cloudSealKeysOf(db, orgId)
  // One snapshot: under READ COMMITTED the agents could be newer than the version that names them.
  const { org, machines, agents, people, channels } = await db.$transaction(
    async (tx) => {
      const org = await tx.organization.findFirst({ where: { id: orgId, deletedAt: null } })
      const machines = await tx.machine.findMany({
        where: { orgId, revokedAt: null },
        include: { user: person, sessions: { where: { endedAt: null, leaseExpiresAt: { gt: new Date() } }, take: 1 } },
        orderBy: { id: 'asc' },
      })
      const agents = await tx.agent.findMany({
        where: { orgId, machine: { revokedAt: null } },
        orderBy: { nameKey: 'asc' },
      })
      const people = await peopleOf(tx, orgId)
      return { org, machines, agents, people, channels: await rosterChannels(tx, orgId, people) }
    },
    { isolationLevel: 'RepeatableRead' },
  )
  if (!org) throw new DomainError('NOT_FOUND', 'This organization was deleted.')
  // Not those of before the snapshot: it may be of a version that a rotation brought meanwhile.
  const { publicKey } = await cloudIdentityOf(db, orgId)
  const { seals } = await cloudSealKeysOf(db, orgId)
  const rosterMachines = machines.map(
    (machine): RosterMachine => ({
      id: machine.id,
      name: machine.name,
      person: personName(machine.user).slice(0, 100),
      platform: machine.platform,
      version: machine.version,
      publicKey: machine.publicKey,
      ...sealsOf(machine),
      isOnline: machine.sessions.length > 0,
      lastSeenAt: machine.lastSeenAt?.getTime() ?? null,
    }),
  )
  rosterMachines.push(cloudMachine({ id: org.id, publicKey, seals }))
  const machineById = new Map(rosterMachines.map((machine) => [machine.id, machine]))
  return {
    version: Number(org.rosterVersion),
    org: { id: org.id, slug: org.slug, name: org.name },
    machines: rosterMachines,
    agents: agents.map((agent): RosterAgent => {
      const machine = machineById.get(agent.machineId)
      const isHere = machine?.isOnline && agent.releasedAt === null
      return {
        name: agent.name,
        machine: agent.machineId,
        epoch: agent.epoch,
        status: isHere ? agent.status : 'offline',
        project: agent.project,
        client: agent.client,
        model: agent.model,
        person: machine?.person ?? '',
        lastSeenAt: agent.lastSeenAt.getTime(),
      }
    }),
    cloud: org.id,
    people: people.map(({ handle, name }) => ({ handle, name })),
    channels,
    archive: org.archiveSince === null ? null : (await archiveKeyOf(db, orgId)).publicKey,
  }
}

/** None of a machine whose program was never new enough to have some. */
function sealsOf(machine: { seals: unknown }): { seals?: SealKey[] } {
  const seals = SealKeys.safeParse(machine.seals)
  return seals.success && seals.data.length > 0 ? { seals: seals.data } : {}
}

/** The control plane as the machine that takes messages for people and channels: known by the organization's id, always there. */
const cloudMachine = ({ id, publicKey, seals }: Pick<RosterMachine, 'id' | 'publicKey' | 'seals'>): RosterMachine => ({
  id,
  name: DASHBOARD_AGENT,
  person: '',
  platform: 'cloud',
  version: '',
  publicKey,
  seals,
  isOnline: true,
  lastSeenAt: null,
})
