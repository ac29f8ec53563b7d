/** What every verb of lib/services gets first: the database, who asks, and from where. Built at the edges, never in between. */
import { randomUUID } from 'node:crypto'
import { type Db, getDb } from '#lib/db/client.ts'

export type { Db, Tx } from '#lib/db/client.ts'

export type UserActor = { kind: 'user'; userId: string; label: string }
export type MachineActor = { kind: 'machine'; machineId: string; orgId: string; userId: string; label: string }
/** The control plane itself: jobs, clean-up, and what happens before anybody is known. */
export type SystemActor = { kind: 'system'; label: string }
export type Actor = UserActor | MachineActor | SystemActor

export type Ctx<A extends Actor = Actor> = {
  db: Db
  actor: A
  /** The caller's network address as the audit log shows it; null when there is none. */
  address: string | null
  requestId: string
}

/** A context on this process's database. `requestId` is made when the edge has none. */
export function createCtx<A extends Actor>(
  actor: A,
  { address = null, requestId = randomUUID() }: { address?: string | null; requestId?: string } = {},
): Ctx<A> {
  return { db: getDb(), actor, address, requestId }
}

/** How a person is called beside machines and agents. */
export const personName = (user: { handle: string | null; name: string | null; email: string | null }): string =>
  user.handle ?? user.name ?? user.email ?? 'somebody'
