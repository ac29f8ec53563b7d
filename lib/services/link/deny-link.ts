import type { Ctx, UserActor } from '../context.ts'
import { assertPending, findRequest } from './find-request.ts'

/** The person did not start this: the machine's next poll is told `access_denied`. @throws DomainError NOT_FOUND, CONFLICT, EXPIRED */
export async function denyLink(ctx: Ctx<UserActor>, input: { userCode: string }): Promise<{ done: true }> {
  const request = await findRequest(ctx, input.userCode)
  const { count } = await ctx.db.deviceCode.updateMany({
    where: { id: request.id, approvedAt: null, deniedAt: null, expiresAt: { gt: new Date() } },
    data: { deniedAt: new Date() },
  })
  if (count === 0)
    assertPending({ ...request, ...(await ctx.db.deviceCode.findUniqueOrThrow({ where: { id: request.id } })) })
  return { done: true }
}
