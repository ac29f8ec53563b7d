import { LinkStartRequest, type LinkStartResponse } from '@agent-relay/protocol'
import type { z } from 'zod'
import { paths } from '#lib/paths.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import type { Ctx } from '../context.ts'
import { plainText } from '../plain-text.ts'
import { codeLifetimeMs, hashCode, makeDeviceCode, makeUserCode, pollIntervalS } from './codes.ts'

const startsPerAddress = { name: 'link.start', count: 60, windowMs: 10 * 60_000 }

/**
 * Begins RFC 8628 for a machine that nobody has vouched for yet. `publicUrl` is where a person's browser reaches this
 * control plane.
 * @throws DomainError RATE_LIMITED per network address
 */
export async function startLink(
  ctx: Ctx,
  input: z.input<typeof LinkStartRequest> & { publicUrl: string },
): Promise<LinkStartResponse> {
  const address = ctx.address ?? 'unknown'
  checkRate(startsPerAddress, address)
  countUse(startsPerAddress, address)
  const request = LinkStartRequest.parse(input)
  const deviceCode = makeDeviceCode()
  const userCode = makeUserCode()
  await ctx.db.deviceCode.create({
    data: {
      deviceCodeHash: hashCode(deviceCode),
      userCodeHash: hashCode(userCode),
      machineName: request.machineName,
      platform: plainText(request.platform),
      version: plainText(request.version),
      publicKey: request.publicKey,
      address,
      wantedOrg: request.org ? plainText(request.org) : null,
      expiresAt: new Date(Date.now() + codeLifetimeMs),
      pollIntervalS,
    },
  })
  return {
    device_code: deviceCode,
    user_code: userCode,
    verification_uri: input.publicUrl + paths.link(),
    verification_uri_complete: input.publicUrl + paths.link(userCode),
    expires_in: codeLifetimeMs / 1000,
    interval: pollIntervalS,
  }
}
