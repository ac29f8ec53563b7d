import { AgentClaim, type ClaimResult } from '@agent-relay/protocol'
import { publish } from '#lib/realtime/bus.ts'
import type { Ctx, MachineActor } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { inOrgTurn } from '../roster/org-turn.ts'
import { applyClaims } from './apply-claims.ts'

/**
 * One name for this machine. A refusal is a value (NAME_TAKEN with details {owner, lastSeenAt, freeInSeconds, suggestion},
 * PLAN_LIMIT with {limit, use, plan}), because the same answer travels in batches.
 */
export async function claimName(ctx: Ctx<MachineActor>, input: AgentClaim): Promise<ClaimResult> {
  const claim = AgentClaim.parse(input)
  const { orgId } = ctx.actor
  const { results, hasChanged } = await inOrgTurn(ctx.db, orgId, async (tx) => {
    const applied = await applyClaims(tx, ctx, [claim])
    if (applied.hasChanged) await bumpRoster(tx, orgId)
    return applied
  })
  if (hasChanged) {
    publish('roster', { orgId })
    publish('hint', { orgId, kinds: ['agents'] })
  }
  return results[0] as ClaimResult
}
