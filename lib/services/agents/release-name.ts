import { nameKey } from '@agent-relay/protocol'
import { publish } from '#lib/realtime/bus.ts'
import type { Ctx, MachineActor } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { inOrgTurn } from '../roster/org-turn.ts'

/** The name's process ended: anybody in the organization may claim it now. A name that this machine does not hold is left alone. */
export async function releaseName(ctx: Ctx<MachineActor>, input: { name: string }): Promise<{ done: true }> {
  const { orgId, machineId } = ctx.actor
  const hasChanged = await inOrgTurn(ctx.db, orgId, async (tx) => {
    const { count } = await tx.agent.updateMany({
      where: { orgId, machineId, nameKey: nameKey(input.name), releasedAt: null },
      data: { releasedAt: new Date(), status: 'offline', lastSeenAt: new Date() },
    })
    if (count > 0) await bumpRoster(tx, orgId)
    return count > 0
  })
  if (hasChanged) {
    publish('roster', { orgId })
    publish('hint', { orgId, kinds: ['agents'] })
  }
  return { done: true }
}
