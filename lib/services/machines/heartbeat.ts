import { type HeartbeatResponse, LEASE_RENEW_MS } from '@agent-relay/protocol'
import { publish } from '#lib/realtime/bus.ts'
import type { Ctx, MachineActor } from '../context.ts'
import { HTTP_NODE, openSession, renewLeases } from './sessions.ts'

/** Keeps the lease of a machine that cannot hold a socket; the first of a run begins its session. */
export async function heartbeat(
  ctx: Ctx<MachineActor>,
  input: { bootId: string; version: string },
): Promise<HeartbeatResponse> {
  const { machineId, orgId } = ctx.actor
  const session = await ctx.db.machineSession.findFirst({
    where: { machineId, bootId: input.bootId, endedAt: null },
    select: { id: true },
  })
  const isOpen = session && (await renewLeases(ctx.db, [{ id: session.id, latencyMs: null }])).has(session.id)
  if (!isOpen) {
    await openSession(ctx.db, {
      orgId,
      machineId,
      bootId: input.bootId,
      version: input.version,
      node: HTTP_NODE,
      address: ctx.address,
      latencyMs: null,
    })
    publish('roster', { orgId })
    publish('hint', { orgId, kinds: ['machines'] })
  }
  return { now: Date.now(), nextInMs: LEASE_RENEW_MS }
}
