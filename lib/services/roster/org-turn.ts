import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import type { Db, Tx } from '../context.ts'

const symbol = Symbol.for('agent-relay.org-turns')
const shared = globalThis as { [symbol]?: Map<string, Promise<unknown>> }

/**
 * A transaction that holds the organization's lock, one after the other within this process: a crowd that waits for the lock
 * in Postgres would take every connection of the pool, and nobody else could ask anything meanwhile.
 */
export async function inOrgTurn<T>(db: Db, orgId: string, fn: (tx: Tx) => Promise<T>): Promise<T> {
  shared[symbol] ??= new Map()
  const turns = shared[symbol]
  const before = turns.get(orgId) ?? Promise.resolve()
  const turn = before
    .catch(() => undefined)
    .then(() =>
      withTransaction(db, async (tx) => {
        await lockOrg(tx, orgId)
        return fn(tx)
      }),
    )
  turns.set(orgId, turn)
  try {
    return await turn
  } finally {
    if (turns.get(orgId) === turn) turns.delete(orgId)
  }
}
