import { DomainError } from '#lib/errors.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import type { Db } from '../context.ts'

/** More changes than an organization sees between two backups; a machine that says more is broken, or lies. */
const MAX_JUMP = 1_000_000_000
/** So that nobody brings versions to the end of the numbers, jump by jump. */
const jumps = { name: 'roster.jump', count: 10, windowMs: 3_600_000 }

/**
 * Machines take no roster that is older than one they have seen. Where one has seen more than the database knows, that was
 * restored from a backup: its versions go on above, or no machine would ever believe it again. Returns whether they do;
 * publish `roster` then.
 */
export async function jumpAbove(db: Db, orgId: string, seen: number): Promise<boolean> {
  try {
    checkRate(jumps, orgId)
  } catch (error) {
    if (error instanceof DomainError) return false
    throw error
  }
  const changed = await db.$executeRaw`
    UPDATE "Organization" SET "rosterVersion" = ${seen}::bigint + 1
    WHERE id = ${orgId}::uuid AND "rosterVersion" < ${seen}::bigint AND ${seen}::bigint - "rosterVersion" <= ${MAX_JUMP}`
  if (changed > 0) countUse(jumps, orgId)
  return changed > 0
}
