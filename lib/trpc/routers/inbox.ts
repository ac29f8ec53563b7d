import { z } from 'zod'
import { getConversation } from '../../services/inbox/get-conversation.ts'
import { listConversations } from '../../services/inbox/list-conversations.ts'
import { markRead } from '../../services/inbox/mark-read.ts'
import { sendAsPerson } from '../../services/inbox/send-as-person.ts'
import { plainText } from '../../services/plain-text.ts'
import { orgProcedure, router } from '../init.ts'

const Key = z.object({ key: z.string().min(1).max(100) })
const MessageId = z.string().max(64)

export const inboxRouter = router({
  list: orgProcedure.query(({ ctx }) => listConversations(ctx)),
  get: orgProcedure
    .input(Key.extend({ cursor: z.string().max(64).nullish() }))
    .query(({ ctx, input }) => getConversation(ctx, { key: input.key, cursor: input.cursor ?? null })),
  send: orgProcedure
    .input(
      z.object({
        to: z.string().min(1).max(100).transform(plainText),
        /** The verb says what is too large, in bytes. */
        body: z.string().max(1_000_000),
        thread: z.string().trim().min(1).max(100).optional(),
        replyTo: MessageId.optional(),
      }),
    )
    .mutation(({ ctx, input }) => sendAsPerson(ctx, input)),
  markRead: orgProcedure
    .input(Key.extend({ upTo: MessageId.optional() }))
    .mutation(({ ctx, input }) => markRead(ctx, input)),
})
