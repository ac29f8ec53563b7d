import { DomainError } from '#lib/errors.ts'
import type { Db, Tx } from './client.ts'

const attempts = 3

/**
 * Runs `fn` in one transaction (READ COMMITTED) and commits when it returns. Inside another transaction it joins that one.
 * A deadlock or write conflict runs `fn` again, up to three times in all, so `fn` touches nothing but `tx`.
 */
export async function withTransaction<T>(db: Db | Tx, fn: (tx: Tx) => Promise<T>): Promise<T> {
  if (!('$transaction' in db)) return fn(db)
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.$transaction(fn, { maxWait: 5_000, timeout: 15_000 })
    } catch (error) {
      if (attempt === attempts || !isConflict(error)) throw error
    }
  }
}

/**
 * Locks the organization's row until the transaction ends. Every change that an organization-wide rule guards (unique
 * names, limits, last owner, roster version) takes it first, so that its check and its write are one step. Rows that only
 * refer to the organization (mail, traces, sessions) may come meanwhile: FOR UPDATE would block their foreign key's check.
 * @throws DomainError NOT_FOUND for an organization that does not exist or was deleted.
 */
export async function lockOrg(tx: Tx, orgId: string): Promise<void> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM "Organization" WHERE id = ${orgId}::uuid AND "deletedAt" IS NULL FOR NO KEY UPDATE`
  if (rows.length === 0) throw new DomainError('NOT_FOUND', 'There is no such organization.')
}

/** Prisma's P2034, or the same conflict under P2010 when a raw query met it. */
function isConflict(error: unknown): boolean {
  const { code, meta } = error as { code?: string; meta?: { driverAdapterError?: { cause?: { kind?: string } } } }
  return code === 'P2034' || meta?.driverAdapterError?.cause?.kind === 'TransactionWriteConflict'
}
