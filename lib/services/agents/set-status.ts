import { machineFrames, nameKey } from '@agent-relay/protocol'
import type { z } from 'zod'
import { publish } from '#lib/realtime/bus.ts'
import type { Ctx, MachineActor } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { inOrgTurn } from '../roster/org-turn.ts'

const StatusInput = machineFrames['agents.status'].input

/** What the adapters of this machine see their agents do. Changes under an older epoch say nothing and are passed over. */
export async function setStatus(ctx: Ctx<MachineActor>, input: z.infer<typeof StatusInput>): Promise<{ done: true }> {
  const { changes } = StatusInput.parse(input)
  const { orgId, machineId } = ctx.actor
  const hasChanged = await inOrgTurn(ctx.db, orgId, async (tx) => {
    let count = 0
    for (const { name, epoch, status } of changes) {
      if (epoch > 0x7fffffff) continue
      const { count: changed } = await tx.agent.updateMany({
        where: { orgId, machineId, nameKey: nameKey(name), epoch, releasedAt: null, status: { not: status } },
        data: { status, lastSeenAt: new Date() },
      })
      count += changed
    }
    if (count > 0) await bumpRoster(tx, orgId)
    return count > 0
  })
  if (hasChanged) {
    publish('roster', { orgId })
    publish('hint', { orgId, kinds: ['agents'] })
  }
  return { done: true }
}
