/** The audit log's only writer. Called inside the transaction of the change, so that neither exists without the other. */
import type { Prisma } from '#lib/db/generated/client.ts'
import type { Actor, Ctx, Tx } from '#lib/services/context.ts'

type AuditInput = {
  orgId: string
  /** noun.verb, such as machine.link */
  action: string
  target: { kind: string; id: string; label: string }
  before?: Prisma.InputJsonObject
  after?: Prisma.InputJsonObject
}

/** Appends one entry; a failure fails the transaction. `before` and `after` hold the fields that changed, never a secret. */
export async function writeAudit(tx: Tx, ctx: Pick<Ctx, 'actor' | 'address'>, input: AuditInput): Promise<void> {
  await tx.auditEntry.create({
    data: {
      orgId: input.orgId,
      actorKind: ctx.actor.kind,
      actorId: actorId(ctx.actor),
      actorLabel: ctx.actor.label,
      action: input.action,
      targetKind: input.target.kind,
      targetId: input.target.id,
      targetLabel: input.target.label,
      address: ctx.address,
      ...(input.before && { before: input.before }),
      ...(input.after && { after: input.after }),
    },
  })
}

function actorId(actor: Actor): string | null {
  if (actor.kind === 'user') return actor.userId
  return actor.kind === 'machine' ? actor.machineId : null
}
