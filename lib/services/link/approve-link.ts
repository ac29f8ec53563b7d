import { authorize, requireMembership } from '#lib/access/authorize.ts'
import { lockOrg, withTransaction } from '#lib/db/transaction.ts'
import type { Ctx, UserActor } from '../context.ts'
import { assertMachineLimit, freeMachineName, machineOfIdentity } from '../machines/admit-machine.ts'
import { assertPending, findRequest } from './find-request.ts'

export type ApprovedLink = {
  /** The name that the machine will have: made unique in the organization. */
  machine: { name: string }
  org: { id: string; slug: string; name: string }
}

/**
 * A member lets the waiting machine into one of their organizations. The machine itself is made by its next poll.
 * @throws DomainError NOT_FOUND (code or organization), FORBIDDEN, CONFLICT, EXPIRED, PLAN_LIMIT, RATE_LIMITED
 */
export async function approveLink(
  ctx: Ctx<UserActor>,
  input: { userCode: string; org: string },
): Promise<ApprovedLink> {
  const { org, role } = await requireMembership(ctx, input.org)
  authorize(role, 'machine.link')
  const request = await findRequest(ctx, input.userCode)
  assertPending(request)
  return withTransaction(ctx.db, async (tx) => {
    await lockOrg(tx, org.id)
    const known = await machineOfIdentity(tx, { orgId: org.id, publicKey: request.publicKey, actor: ctx.actor, role })
    if (!known) await assertMachineLimit(tx, org)
    const name = known?.name ?? (await freeMachineName(tx, org.id, request.machineName))
    const { count } = await tx.deviceCode.updateMany({
      where: { id: request.id, approvedAt: null, deniedAt: null, expiresAt: { gt: new Date() } },
      data: { approvedAt: new Date(), approvedById: ctx.actor.userId, orgId: org.id },
    })
    if (count === 0) assertPending(await tx.deviceCode.findUniqueOrThrow({ where: { id: request.id } }))
    return { machine: { name }, org: { id: org.id, slug: org.slug, name: org.name } }
  })
}
