import type { LinkRequestView } from '#lib/trpc/views.ts'
import type { Ctx, UserActor } from '../context.ts'
import { findRequest, linkState } from './find-request.ts'

/** What a person sees before approving: which machine asks, and from where. @throws DomainError NOT_FOUND, RATE_LIMITED */
export async function inspectLink(ctx: Ctx<UserActor>, input: { userCode: string }): Promise<LinkRequestView> {
  const request = await findRequest(ctx, input.userCode)
  return {
    userCode: request.userCode,
    machineName: request.machineName,
    platform: request.platform,
    version: request.version,
    address: request.address,
    createdAt: request.createdAt.getTime(),
    expiresAt: request.expiresAt.getTime(),
    wantedOrg: request.wantedOrg,
    state: linkState(request),
  }
}
