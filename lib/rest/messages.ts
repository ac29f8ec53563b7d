/** The relay for machines whose network lets no WebSocket through: the same functions, asked for instead of pushed. */
import { AckRequest, MAIL_PAGE, type PendingResponse, RelayBatch } from '@agent-relay/protocol'
import { z } from 'zod'
import { DomainError } from '#lib/errors.ts'
import { relayDoor } from '#lib/realtime/relay-door.ts'
import { deleteReturns } from '#lib/services/messages/acknowledge-mail.ts'
import { readMail } from '#lib/services/messages/read-mail.ts'
import { endpoint } from './endpoint.ts'

/** A full batch of MAX_BATCH_BYTES with its JSON around it. */
const batchBytes = 6 * 1024 * 1024

export const postRelay = endpoint(
  { who: 'proved', body: RelayBatch, maxBytes: batchBytes },
  async ({ ctx, input }) => ({ results: await relayDoor().relay(ctx.actor, input.envelopes) }),
)

const Page = z.object({
  after: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(MAIL_PAGE).default(MAIL_PAGE),
})

/**
 * What waits for this machine, oldest first. Envelopes leave by their acknowledgement; return frames by naming their ids in
 * `read`. `next` continues after this page, null when it was the last.
 */
export const getPending = endpoint({ who: 'proved' }, async ({ ctx, request }): Promise<PendingResponse> => {
  const query = Page.safeParse(Object.fromEntries(new URL(request.url).searchParams))
  if (!query.success)
    throw new DomainError('BAD_REQUEST', `after is an id of a former page and limit a number from 1 to ${MAIL_PAGE}.`)
  const mail = await readMail(ctx.db, ctx.actor.machineId, query.data)
  return {
    envelopes: mail.flatMap((item) => (item.kind === 'envelope' ? [item.envelope] : [])),
    returned: mail.flatMap((item) => (item.kind === 'return' ? [{ id: item.id, ...item.returned }] : [])),
    next: mail.at(-1)?.id ?? null,
  }
})

export const postAck = endpoint({ who: 'proved', body: AckRequest, maxBytes: 1024 * 1024 }, async ({ ctx, input }) => {
  const { acks = [], gaps = [], receipts = [], heard = [], read } = input
  await relayDoor().giveBack(ctx.actor, { acks, gaps, receipts, heard })
  await deleteReturns(ctx.db, ctx.actor.machineId, read)
  return { done: true }
})
