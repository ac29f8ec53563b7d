/** Keeps the leases of the machines that are alive here, and ends the sockets of those that are not. */
import { HEARTBEAT_DEAD_MS, LEASE_RENEW_MS, type WireError } from '@agent-relay/protocol'
import type { Db } from '#lib/services/context.ts'
import { renewLeases } from '#lib/services/machines/sessions.ts'
import type { Log } from './log.ts'
import type { MachineSession } from './machine-session.ts'

const sweepMs = 5_000

const silent: WireError = {
  code: 'TIMEOUT',
  message: `No heartbeat came for ${HEARTBEAT_DEAD_MS / 1000} s; connect again.`,
}
const lost: WireError = {
  code: 'UNAVAILABLE',
  message: 'The lease of this session ran out while the database was away; connect again.',
}

/** Sweeps every 5 s and renews every 30 s until the returned function is called; a renewal that failed is tried at the next sweep. */
export function keepLeases(
  sessions: ReadonlyMap<string, MachineSession>,
  { db, log }: { db: Db; log: Log },
): () => void {
  let renewedAt = Date.now()
  let isRenewing = false
  let hasFailed = false

  async function renew(): Promise<void> {
    isRenewing = true
    const renewing = [...sessions.values()]
    try {
      const renewed = await renewLeases(db, renewing)
      renewedAt = Date.now()
      hasFailed = false
      for (const session of renewing) if (!renewed.has(session.id)) session.end(lost)
    } catch (error) {
      if (!hasFailed) log.error({ err: error }, 'leases not renewed; trying again every 5 s')
      hasFailed = true
    } finally {
      isRenewing = false
    }
  }

  const timer = setInterval(() => {
    const now = Date.now()
    for (const session of sessions.values()) if (now - session.lastBeatAt > HEARTBEAT_DEAD_MS) session.end(silent)
    if (now - renewedAt >= LEASE_RENEW_MS && !isRenewing) void renew()
  }, sweepMs)
  return () => clearInterval(timer)
}
