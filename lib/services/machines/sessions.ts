/**
 * The lease of a connected daemon. It covers all names of the machine: until it runs out nobody else takes them, also when
 * the session has ended, for a connection that was lost or a control plane that restarted ends no program.
 * `node` names the control plane process that holds the socket.
 */
import { LEASE_MS } from '@agent-relay/protocol'
import type { Prisma } from '#lib/db/generated/client.ts'
import { withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import type { Db, Tx } from '../context.ts'
import { plainJson } from '../plain-text.ts'
import { bumpRoster } from '../roster/bump-roster.ts'

export type SessionFacts = {
  orgId: string
  machineId: string
  bootId: string
  node: string
  address: string | null
  version: string
  latencyMs: number | null
}

/** The `node` of sessions of machines that come by HTTP: they hang on no process, only on their lease. */
export const HTTP_NODE = 'http'

const leaseEnd = (now: Date) => new Date(now.getTime() + LEASE_MS)

/**
 * Begins sessions, in one transaction however many, and ends every earlier one of the same machines. Returns their ids in
 * order, null for a machine that was revoked meanwhile; publish `roster` for their organizations afterwards.
 */
export async function openSessions(db: Db, facts: SessionFacts[]): Promise<(string | null)[]> {
  // A machine that comes twice at once: the later one takes over, in a second round.
  const first = facts.filter(({ machineId }, i) => facts.findIndex((other) => other.machineId === machineId) === i)
  const later = facts.filter((fact) => !first.includes(fact))
  const ids = new Map<SessionFacts, string | null>()
  for (const [i, id] of (await withTransaction(db, (tx) => open(tx, first))).entries())
    ids.set(first[i] as SessionFacts, id)
  if (later.length > 0)
    for (const [i, id] of (await openSessions(db, later)).entries()) ids.set(later[i] as SessionFacts, id)
  return facts.map((fact) => ids.get(fact) ?? null)
}

async function open(tx: Tx, facts: SessionFacts[]): Promise<(string | null)[]> {
  const now = new Date()
  const machineIds = facts.map(({ machineId }) => machineId)
  for (const orgId of [...new Set(facts.map(({ orgId }) => orgId))].sort()) await bumpRoster(tx, orgId)
  await tx.machineSession.updateMany({
    where: { machineId: { in: machineIds }, endedAt: null },
    data: { endedAt: now },
  })
  // The new run says anew how its links are.
  await tx.machineLink.deleteMany({ where: { machineId: { in: machineIds } } })
  const rows = plainJson(facts.map(({ machineId, version, address }) => ({ id: machineId, version, address })))
  const alive = await tx.$queryRaw<{ id: string }[]>`
    UPDATE "Machine" m SET "lastSeenAt" = ${now}, version = r.version, address = COALESCE(r.address, m.address)
    FROM jsonb_to_recordset(${rows}::jsonb) AS r(id uuid, version text, address text)
    WHERE m.id = r.id AND m."revokedAt" IS NULL RETURNING m.id::text`
  const aliveIds = new Set(alive.map(({ id }) => id))
  const created = await tx.machineSession.createManyAndReturn({
    data: facts
      .filter(({ machineId }) => aliveIds.has(machineId))
      .map(({ orgId, machineId, bootId, node, latencyMs }) => ({
        ...{ orgId, machineId, bootId, node, latencyMs },
        startedAt: now,
        leaseExpiresAt: leaseEnd(now),
      })),
    select: { id: true, machineId: true },
  })
  const idOf = new Map(created.map(({ id, machineId }) => [machineId, id]))
  return machineIds.map((machineId) => idOf.get(machineId) ?? null)
}

/** One session. @throws DomainError KEY_REVOKED when the machine was revoked meanwhile */
export async function openSession(db: Db, facts: SessionFacts): Promise<string> {
  return assertOpened((await openSessions(db, [facts]))[0])
}

export function assertOpened(id: string | null | undefined): string {
  if (id) return id
  throw new DomainError('KEY_REVOKED', 'This machine was revoked. To link it again, run: agent-relay link')
}

/** Renews these leases in one statement, however many, and returns the ids that were still open. Latencies are in ms. */
export async function renewLeases(db: Db, sessions: { id: string; latencyMs: number | null }[]): Promise<Set<string>> {
  if (sessions.length === 0) return new Set()
  const now = new Date()
  const rows = JSON.stringify(sessions.map(({ id, latencyMs }) => ({ id, latency: latencyMs })))
  const renewed = await db.$queryRaw<{ id: string }[]>`
    WITH live AS (SELECT id::uuid, latency FROM jsonb_to_recordset(${rows}::jsonb) AS r(id text, latency float8)),
    renewed AS (
      UPDATE "MachineSession" s SET "leaseExpiresAt" = ${leaseEnd(now)}, "latencyMs" = COALESCE(live.latency, s."latencyMs")
      FROM live WHERE s.id = live.id AND s."endedAt" IS NULL RETURNING s.id, s."machineId"
    ),
    seen AS (UPDATE "Machine" m SET "lastSeenAt" = ${now} FROM renewed WHERE m.id = renewed."machineId")
    SELECT id::text FROM renewed`
  return new Set(renewed.map(({ id }) => id))
}

/** Which sessions to end: given ones, those whose lease has run out, or all that other processes left behind. */
export type WhichSessions = { ids: string[] } | { leaseOver: true } | { notOfNode: string }

/**
 * Ends sessions; their machines and names show offline, unless a newer session has begun. Names stay held until the lease
 * runs out. Returns the organizations that changed; publish `roster` for each.
 */
export async function endSessions(db: Db, which: WhichSessions): Promise<string[]> {
  return withTransaction(db, async (tx) => {
    const now = new Date()
    const open = await tx.machineSession.findMany({
      where: { endedAt: null, ...condition(which, now) },
      select: { id: true, orgId: true, machineId: true },
    })
    if (open.length === 0) return []
    // In a fixed order, so that two processes that clean up at once do not deadlock.
    const orgIds = [...new Set(open.map(({ orgId }) => orgId))].sort()
    for (const orgId of orgIds) await bumpRoster(tx, orgId)
    await tx.machineSession.updateMany({
      where: { id: { in: open.map(({ id }) => id) }, endedAt: null },
      data: { endedAt: now },
    })
    await markOffline(tx, [...new Set(open.map(({ machineId }) => machineId))], now)
    return orgIds
  })
}

function condition(which: WhichSessions, now: Date): Prisma.MachineSessionWhereInput {
  if ('ids' in which) return { id: { in: which.ids } }
  return 'notOfNode' in which ? { node: { notIn: [which.notOfNode, HTTP_NODE] } } : { leaseExpiresAt: { lte: now } }
}

async function markOffline(tx: Tx, machineIds: string[], now: Date): Promise<void> {
  const back = await tx.machineSession.findMany({
    where: { machineId: { in: machineIds }, endedAt: null, leaseExpiresAt: { gt: now } },
    select: { machineId: true },
  })
  const returned = new Set(back.map(({ machineId }) => machineId))
  const gone = machineIds.filter((id) => !returned.has(id))
  await tx.machineLink.deleteMany({ where: { machineId: { in: gone } } })
  await tx.machine.updateMany({ where: { id: { in: gone } }, data: { lastSeenAt: now } })
  await tx.agent.updateMany({
    where: { machineId: { in: gone }, status: { not: 'offline' } },
    data: { status: 'offline', lastSeenAt: now },
  })
}
