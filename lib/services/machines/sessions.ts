/**
 * The lease of a connected daemon. It covers all names of the machine: while it runs, nobody else takes them.
 * `node` names the control plane process that holds the socket.
 */
import { LEASE_MS } from '@agent-relay/protocol'
import { withTransaction } from '#lib/db/transaction.ts'
import type { Db, Tx } from '../context.ts'
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

const leaseEnd = (now: Date) => new Date(now.getTime() + LEASE_MS)

/** Begins a session and ends every earlier one of the same machine. Returns its id; publish `roster` afterwards. */
export async function openSession(db: Db, facts: SessionFacts): Promise<string> {
  const { orgId, machineId, bootId, node, address, version, latencyMs } = facts
  return withTransaction(db, async (tx) => {
    const now = new Date()
    await bumpRoster(tx, orgId)
    await tx.machineSession.updateMany({ where: { machineId, endedAt: null }, data: { endedAt: now } })
    await tx.machine.update({
      where: { id: machineId },
      data: { lastSeenAt: now, version, ...(address && { address }) },
    })
    const session = await tx.machineSession.create({
      data: { orgId, machineId, bootId, node, latencyMs, startedAt: now, leaseExpiresAt: leaseEnd(now) },
    })
    return session.id
  })
}

/** Renews the leases of all these sessions in one statement, however many; latencies are in ms. */
export async function renewLeases(db: Db, sessions: { id: string; latencyMs: number | null }[]): Promise<void> {
  if (sessions.length === 0) return
  const now = new Date()
  const rows = JSON.stringify(sessions.map(({ id, latencyMs }) => ({ id, latency: latencyMs })))
  await db.$executeRaw`
    WITH live AS (SELECT id::uuid, latency FROM jsonb_to_recordset(${rows}::jsonb) AS r(id text, latency float8)),
    renewed AS (
      UPDATE "MachineSession" s SET "leaseExpiresAt" = ${leaseEnd(now)}, "latencyMs" = COALESCE(live.latency, s."latencyMs")
      FROM live WHERE s.id = live.id AND s."endedAt" IS NULL RETURNING s."machineId"
    )
    UPDATE "Machine" m SET "lastSeenAt" = ${now} FROM renewed WHERE m.id = renewed."machineId"`
}

/** Ends one session. The machine and its names show offline, unless a newer session has begun. Returns whether it was open. */
export async function endSession(db: Db, id: string): Promise<boolean> {
  return withTransaction(db, async (tx) => {
    const now = new Date()
    const { count } = await tx.machineSession.updateMany({ where: { id, endedAt: null }, data: { endedAt: now } })
    if (count === 0) return false
    const { machineId, orgId } = await tx.machineSession.findUniqueOrThrow({ where: { id } })
    await tx.machine.update({ where: { id: machineId }, data: { lastSeenAt: now } })
    await markOffline(tx, [machineId], now)
    await bumpRoster(tx, orgId)
    return true
  })
}

/**
 * Ends the sessions that nobody renews any more: those whose lease has run out and, at the start of a process that is the
 * only one (`exceptNode`), all that another process left behind. Returns the organizations that changed.
 */
export async function endStaleSessions(db: Db, { exceptNode }: { exceptNode?: string } = {}): Promise<string[]> {
  return withTransaction(db, async (tx) => {
    const now = new Date()
    const stale = await tx.machineSession.findMany({
      where: {
        endedAt: null,
        ...(exceptNode === undefined ? { leaseExpiresAt: { lte: now } } : { node: { not: exceptNode } }),
      },
      select: { id: true, orgId: true, machineId: true },
    })
    if (stale.length === 0) return []
    await tx.machineSession.updateMany({
      where: { id: { in: stale.map(({ id }) => id) }, endedAt: null },
      data: { endedAt: now },
    })
    await markOffline(
      tx,
      stale.map(({ machineId }) => machineId),
      now,
    )
    // In a fixed order, so that two processes that clean up at once do not deadlock.
    const orgIds = [...new Set(stale.map(({ orgId }) => orgId))].sort()
    for (const orgId of orgIds) await bumpRoster(tx, orgId)
    return orgIds
  })
}

async function markOffline(tx: Tx, machineIds: string[], now: Date): Promise<void> {
  const back = await tx.machineSession.findMany({
    where: { machineId: { in: machineIds }, endedAt: null, leaseExpiresAt: { gt: now } },
    select: { machineId: true },
  })
  const returned = new Set(back.map(({ machineId }) => machineId))
  await tx.agent.updateMany({
    where: { machineId: { in: machineIds.filter((id) => !returned.has(id)) }, status: { not: 'offline' } },
    data: { status: 'offline', lastSeenAt: now },
  })
}
