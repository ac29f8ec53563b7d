import { CandidateKind, LinkState } from '@agent-relay/protocol'
import { authorize, type OrgCtx } from '#lib/access/authorize.ts'
import type { NetworkView } from '#lib/trpc/views.ts'
import { listMachines } from './list-machines.ts'
import { pairLinks, type Said } from './pair-links.ts'

/** More than a page can use; 60 machines that all talk to each other say 3,540. */
const maxRows = 10_000

/** The organization's machines, those that were revoked left out, and how each pair of them that talks is linked. */
export async function listLinks(ctx: OrgCtx): Promise<NetworkView> {
  authorize(ctx.role, 'org.read')
  const [all, rows] = await Promise.all([
    listMachines(ctx),
    ctx.db.machineLink.findMany({
      where: { orgId: ctx.org.id },
      orderBy: [{ updatedAt: 'desc' }, { machineId: 'asc' }, { peerId: 'asc' }],
      take: maxRows,
    }),
  ])
  const machines = all.filter(({ state }) => state !== 'revoked')
  const said = rows.flatMap((row): Said[] => {
    const state = LinkState.safeParse(row.state)
    if (!state.success) return []
    const { machineId, peerId, latencyMs, why } = row
    return [
      {
        ...{ machineId, peerId, latencyMs, why, state: state.data },
        kind: CandidateKind.safeParse(row.kind).data ?? null,
        since: row.since.getTime(),
        updatedAt: row.updatedAt.getTime(),
      },
    ]
  })
  const known = machines.map(({ id, name, state, latencyMs, lastSeenAt }) => ({
    ...{ id, name, latencyMs, lastSeenAt },
    isOnline: state === 'online',
  }))
  return { machines, links: pairLinks(known, said) }
}
