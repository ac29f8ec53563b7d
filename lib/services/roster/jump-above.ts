import { DomainError } from '#lib/errors.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import type { Db } from '../context.ts'

/** More changes than an organization sees between two backups; a machine that says more is broken, or lies. */
const MAX_JUMP = 1_000_000_000
/** So that nobody brings versions to the end of the numbers, jump by jump. */
const jumps = { name: 'roster.jump', count: 10, windowMs: 3_600_000 }

/**
 * Machines take no roster that is older than one they have seen. Where one has seen more than the database knows, that was
 * restored from a backup: its versions go on above it, or no machine would ever believe it again. `jumped` when they do by this
 * call (publish `roster` then), `known` when they were above it already, `refused` when what it says cannot be.
 */
export async function jumpAbove(db: Db, orgId: string, seen: number): Promise<'jumped' | 'known' | 'refused'> {
  const { rosterVersion } = await db.organization.findUniqueOrThrow({
    where: { id: orgId },
    select: { rosterVersion: true },
  })
  // Another machine of the same moment was first.
  if (rosterVersion >= seen) return 'known'
  if (BigInt(seen) - rosterVersion > MAX_JUMP || isUsedUp(orgId)) return 'refused'
  const changed = await db.$executeRaw`
    UPDATE "Organization" SET "rosterVersion" = ${seen}::bigint + 1
    WHERE id = ${orgId}::uuid AND "rosterVersion" < ${seen}::bigint`
  if (changed === 0) return 'known'
  countUse(jumps, orgId)
  return 'jumped'
}

function isUsedUp(orgId: string): boolean {
  try {
    checkRate(jumps, orgId)
    return false
  } catch (error) {
    if (error instanceof DomainError) return true
    throw error
  }
}
