/**
 * The lease of a connected daemon. It covers all names of the machine: while it runs, nobody else takes them.
 * `node` names the control plane process that holds the socket.
 */
import { LEASE_MS } from '@agent-relay/protocol'
import type { Prisma } from '#lib/db/generated/client.ts'
import { withTransaction } from '#lib/db/transaction.ts'
import { DomainError } from '#lib/errors.ts'
import type { Db, Tx } from '../context.ts'
import { plainText } from '../plain-text.ts'
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
 * Begins a session and ends every earlier one of the same machine. Returns its id; publish `roster` afterwards.
 * @throws DomainError KEY_REVOKED when the machine was revoked meanwhile
 */
export async function openSession(db: Db, facts: SessionFacts): Promise<string> {
  const { orgId, machineId, bootId, node, address, version, latencyMs } = facts
  return withTransaction(db, async (tx) => {
    const now = new Date()
    await bumpRoster(tx, orgId)
    await tx.machineSession.updateMany({ where: { machineId, endedAt: null }, data: { endedAt: now } })
    const { count } = await tx.machine.updateMany({
      where: { id: machineId, revokedAt: null },
      data: { lastSeenAt: now, version: plainText(version), ...(address && { address }) },
    })
    if (count === 0)
      throw new DomainError('KEY_REVOKED', 'This machine was revoked. To link it again, run: agent-relay link')
    const session = await tx.machineSession.create({
      data: { orgId, machineId, bootId, node, latencyMs, startedAt: now, leaseExpiresAt: leaseEnd(now) },
    })
    return session.id
  })
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
 * Ends sessions; their machines and names show offline, unless a newer session has begun. Returns the organizations that
 * changed; publish `roster` for each.
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
  await tx.machine.updateMany({ where: { id: { in: gone } }, data: { lastSeenAt: now } })
  await tx.agent.updateMany({
    where: { machineId: { in: gone }, status: { not: 'offline' } },
    data: { status: 'offline', lastSeenAt: now },
  })
}
