/** What every verb of lib/services gets first: the database, who asks, and from where. Built at the edges, never in between. */
import type { Prisma, PrismaClient } from '../db/generated/client.ts'

export type Db = PrismaClient
/** A client within a transaction; a plain client will do where one query is enough. */
export type Tx = Prisma.TransactionClient

export type UserActor = { kind: 'user'; userId: string; label: string }
export type MachineActor = { kind: 'machine'; machineId: string; orgId: string; userId: string; label: string }
/** The control plane itself: jobs and clean-up. */
export type SystemActor = { kind: 'system'; label: string }
export type Actor = UserActor | MachineActor | SystemActor

export type Ctx<A extends Actor = Actor> = {
  db: Db
  actor: A
  /** The caller's network address as the audit log shows it; null when there is none. */
  address: string | null
  requestId: string
}
