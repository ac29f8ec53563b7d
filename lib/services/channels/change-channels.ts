import { publish } from '#lib/realtime/bus.ts'
import type { Db, Tx } from '../context.ts'
import { bumpRoster } from '../roster/bump-roster.ts'
import { inOrgTurn } from '../roster/org-turn.ts'

/**
 * Runs a change of channels or their members under the organization's lock, with a new roster version, and tells everybody
 * after the commit. Nothing is told when `change` says `hasChanged: false`.
 */
export async function changeChannels<T extends { hasChanged: boolean }>(
  db: Db,
  orgId: string,
  change: (tx: Tx) => Promise<T>,
): Promise<T> {
  const result = await inOrgTurn(db, orgId, async (tx) => {
    const changed = await change(tx)
    if (changed.hasChanged) await bumpRoster(tx, orgId)
    return changed
  })
  if (result.hasChanged) {
    publish('roster', { orgId })
    publish('hint', { orgId, kinds: ['channels', 'inbox'] })
  }
  return result
}
