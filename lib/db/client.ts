/** The Prisma client. One per process, on globalThis: server.ts and Next's bundle load this module separately. */
import { PrismaPg } from '@prisma/adapter-pg'
import { env } from '#lib/env.ts'
import { OperatorError } from '#lib/operator-error.ts'
import { type Prisma, PrismaClient } from './generated/client.ts'

export type Db = PrismaClient
export type Tx = Prisma.TransactionClient

const shared = globalThis as { [key: symbol]: unknown }
const key = Symbol.for('agent-relay.db')

/** A client of its own for one database; the caller ends it with `$disconnect()`. At most `poolSize` connections. */
export function createDb(url: string, { poolSize = 20 }: { poolSize?: number } = {}): Db {
  const adapter = new PrismaPg({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: 5_000,
    // Columns are timestamps without a zone and hold UTC; a server set to another zone would write its own clock into them.
    options: '-c TimeZone=UTC',
    application_name: 'agent-relay',
  })
  return new PrismaClient({ adapter, log: [] })
}

/** The process's client, made from DATABASE_URL at the first call. */
export function getDb(): Db {
  const existing = shared[key] as Db | undefined
  if (existing) return existing
  const url = env().DATABASE_URL
  if (!url)
    throw new OperatorError(
      'NO_DATABASE',
      'DATABASE_URL is not set, and only `npm start` brings an embedded Postgres: run that, or set DATABASE_URL.',
    )
  const db = createDb(url)
  shared[key] = db
  return db
}
