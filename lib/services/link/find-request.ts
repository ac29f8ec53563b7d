import type { DeviceCode } from '#lib/db/generated/client.ts'
import { DomainError } from '#lib/errors.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import type { Ctx, UserActor } from '../context.ts'
import { hashCode, readUserCode } from './codes.ts'

/** A wrong code counts; at 10 in 10 minutes against 2.6·10^10 codes, guessing is hopeless. */
const wrongPerUser = { name: 'link.wrong.user', count: 10, windowMs: 10 * 60_000 }
const wrongPerAddress = { name: 'link.wrong.address', count: 30, windowMs: 10 * 60_000 }

export type LinkState = 'pending' | 'approved' | 'denied' | 'expired'

/**
 * The link request with the code that this person typed.
 * @throws DomainError NOT_FOUND, RATE_LIMITED after too many wrong codes
 */
export async function findRequest(ctx: Ctx<UserActor>, typed: string): Promise<DeviceCode & { userCode: string }> {
  checkRate(wrongPerUser, ctx.actor.userId)
  if (ctx.address) checkRate(wrongPerAddress, ctx.address)
  const userCode = readUserCode(typed)
  const request = userCode && (await ctx.db.deviceCode.findUnique({ where: { userCodeHash: hashCode(userCode) } }))
  if (userCode && request) return { ...request, userCode }
  countUse(wrongPerUser, ctx.actor.userId)
  if (ctx.address) countUse(wrongPerAddress, ctx.address)
  throw new DomainError(
    'NOT_FOUND',
    `No machine waits with the code ${JSON.stringify(typed.slice(0, 20))}. Compare it with the terminal; codes end after 10 minutes.`,
  )
}

export function linkState(request: DeviceCode, now = Date.now()): LinkState {
  if (request.deniedAt) return 'denied'
  if (request.approvedAt) return 'approved'
  return request.expiresAt.getTime() <= now ? 'expired' : 'pending'
}

/** @throws DomainError CONFLICT or EXPIRED with what became of the request */
export function assertPending(request: DeviceCode): void {
  const state = linkState(request)
  if (state === 'expired')
    throw new DomainError('EXPIRED', 'This code has expired. Run agent-relay link again and use the new code.')
  if (state !== 'pending')
    throw new DomainError('CONFLICT', `This request was already ${state}. To link again, run: agent-relay link`)
}
