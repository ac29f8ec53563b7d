import type { LinkReport } from '@agent-relay/protocol'
import { withTransaction } from '#lib/db/transaction.ts'
import type { Ctx, MachineActor } from '../context.ts'
import { plainJson } from '../plain-text.ts'

type Input = {
  sessionId: string
  /** Of machines of this organization only; the last word on each counts. */
  links: LinkReport[]
  /** Links that are not among these are no more. */
  isWhole: boolean
}

/** Keeps how a machine's links are, for the dashboard. They end with the session: one that has ended saves nothing. */
export async function saveLinks(ctx: Ctx<MachineActor>, { sessionId, links, isWhole }: Input): Promise<void> {
  const { machineId, orgId } = ctx.actor
  const now = Date.now()
  const last = new Map(links.map((link) => [link.machine, link]))
  const rows = [...last.values()].map(({ machine, state, kind, latencyMs, why, forMs }) => ({
    ...{ peer: machine, state, kind, latency: latencyMs, why },
    since: new Date(Math.max(0, now - forMs)),
  }))
  await withTransaction(ctx.db, async (tx) => {
    // The end of the session waits for this and deletes the rows then, or was first and this finds nothing.
    const open = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM "MachineSession" WHERE id = ${sessionId}::uuid AND "endedAt" IS NULL FOR SHARE`
    if (open.length === 0) return
    if (isWhole) await tx.machineLink.deleteMany({ where: { machineId, peerId: { notIn: [...last.keys()] } } })
    await tx.$executeRaw`
      INSERT INTO "MachineLink" ("machineId", "peerId", "orgId", state, kind, "latencyMs", why, since, "updatedAt")
      SELECT ${machineId}::uuid, peer, ${orgId}::uuid, state, kind, latency, why, since, ${new Date(now)}
      FROM jsonb_to_recordset(${plainJson(rows)}::jsonb)
        AS r(peer uuid, state text, kind text, latency float8, why text, since timestamp)
      ON CONFLICT ("machineId", "peerId") DO UPDATE SET state = EXCLUDED.state, kind = EXCLUDED.kind,
        "latencyMs" = EXCLUDED."latencyMs", why = EXCLUDED.why, since = EXCLUDED.since, "updatedAt" = EXCLUDED."updatedAt"`
  })
}
