/** RFC 8628 over HTTP; its own error bodies for polls, ours for everything else. */
import { LinkPollRequest, LinkStartRequest } from '@agent-relay/protocol'
import { z } from 'zod'
import { env } from '#lib/env.ts'
import { approveLink } from '#lib/services/link/approve-link.ts'
import { pollLink } from '#lib/services/link/poll-link.ts'
import { startLink } from '#lib/services/link/start-link.ts'
import { endpoint, json } from './endpoint.ts'

export const postLinkStart = endpoint({ who: 'anyone', body: LinkStartRequest }, ({ ctx, input }) =>
  startLink(ctx, { ...input, publicUrl: env().PUBLIC_URL }),
)

export const postLinkPoll = endpoint({ who: 'anyone', body: LinkPollRequest }, async ({ ctx, input }) => {
  const outcome = await pollLink(ctx, { deviceCode: input.device_code })
  if (outcome.ok) return outcome.linked
  return json({ error: outcome.error, error_description: outcome.description }, 400)
})

const Approval = z.object({ user_code: z.string().min(1).max(40), org: z.string().min(1).max(64) })

export const postLinkApprove = endpoint({ who: 'person', body: Approval }, ({ ctx, input }) =>
  approveLink(ctx, { userCode: input.user_code, org: input.org }),
)
