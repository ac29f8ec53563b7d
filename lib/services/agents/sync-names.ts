import { type ClaimResult, machineFrames, nameKey } from '@agent-relay/protocol'
import type { z } from 'zod'
import { publish } from '#lib/realtime/bus.ts'
import type { Ctx, MachineActor } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { inOrgTurn } from '../roster/org-turn.ts'
import { applyClaims } from './apply-claims.ts'

const SyncInput = machineFrames['agents.sync'].input

/**
 * All names of this machine after it connected: renews what it holds, claims what it wants; what it does not list any more
 * is released. One result per claim, in order.
 */
export async function syncNames(
  ctx: Ctx<MachineActor>,
  input: z.infer<typeof SyncInput>,
): Promise<{ results: ClaimResult[] }> {
  const { agents } = SyncInput.parse(input)
  const { orgId, machineId } = ctx.actor
  const { results, hasChanged } = await inOrgTurn(ctx.db, orgId, async (tx) => {
    const { count } = await tx.agent.updateMany({
      where: { orgId, machineId, releasedAt: null, nameKey: { notIn: agents.map(({ name }) => nameKey(name)) } },
      data: { releasedAt: new Date(), status: 'offline', lastSeenAt: new Date() },
    })
    const applied = await applyClaims(tx, ctx, agents)
    const hasChanged = applied.hasChanged || count > 0
    if (hasChanged) await bumpRoster(tx, orgId)
    return { results: applied.results, hasChanged }
  })
  if (hasChanged) {
    publish('roster', { orgId })
    publish('hint', { orgId, kinds: ['agents'] })
  }
  return { results }
}
