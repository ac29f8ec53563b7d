import { PERSON_CLIENT } from '@agent-relay/protocol'
import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import { can } from '#lib/access/roles.ts'
import type { MachineRow } from '#lib/trpc/views.ts'
import { personName } from '../context.ts'
import { waitingByMachine } from './waiting.ts'

const maxRows = 2_000
/** A revoked machine stays in the list for a month: long enough to answer "what happened to it?". */
const revokedShownMs = 30 * 86_400_000

/** Machines of the organization with the agents that live there, those that run first: online first, then by name, revoked ones last. */
export async function listMachines(ctx: OrgCtx): Promise<MachineRow[]> {
  authorize(ctx.role, 'org.read')
  const orgId = ctx.org.id
  const now = Date.now()
  const [machines, waiting] = await Promise.all([
    ctx.db.machine.findMany({
      where: { orgId, OR: [{ revokedAt: null }, { revokedAt: { gt: new Date(now - revokedShownMs) } }] },
      include: {
        user: { select: { id: true, handle: true, name: true, email: true } },
        sessions: {
          where: { endedAt: null, leaseExpiresAt: { gt: new Date(now) } },
          orderBy: { startedAt: 'desc' },
          take: 1,
        },
        agents: {
          where: { OR: [{ client: null }, { client: { not: PERSON_CLIENT } }] },
          select: { name: true, status: true, client: true, project: true },
          orderBy: [{ releasedAt: { sort: 'asc', nulls: 'first' } }, { nameKey: 'asc' }],
        },
      },
      orderBy: { nameKey: 'asc' },
      take: maxRows,
    }),
    waitingByMachine(ctx),
  ])
  return machines
    .map((machine): MachineRow => {
      const session = machine.sessions[0]
      return {
        id: machine.id,
        name: machine.name,
        person: personName(machine.user),
        platform: machine.platform,
        version: machine.version,
        address: machine.address,
        keyPrefix: machine.keyPrefix,
        state: stateOf(machine, session !== undefined),
        latencyMs: session && !machine.revokedAt ? session.latencyMs : null,
        agents: machine.revokedAt ? [] : machine.agents,
        waiting: waiting.get(machine.id) ?? 0,
        createdAt: machine.createdAt.getTime(),
        lastSeenAt: machine.lastSeenAt?.getTime() ?? null,
        canRevoke: !machine.revokedAt && (isOwn(ctx, machine.user.id) || can(ctx.role, 'machine.revokeAny')),
      }
    })
    .sort((a, b) => order[a.state] - order[b.state])
}

const order: Record<MachineRow['state'], number> = { online: 0, offline: 1, keyOnly: 1, revoked: 2 }

function stateOf(
  machine: { revokedAt: Date | null; publicKey: string | null },
  isOnline: boolean,
): MachineRow['state'] {
  if (machine.revokedAt) return 'revoked'
  if (machine.publicKey === null) return 'keyOnly'
  return isOnline ? 'online' : 'offline'
}

const isOwn = ({ actor }: OrgCtx, userId: string): boolean => actor.kind === 'user' && actor.userId === userId
