import { z } from 'zod'
import { getMessage } from '../../services/reads/get-message.ts'
import { listMessages } from '../../services/reads/list-messages.ts'
import { orgProcedure, router, Search } from '../init.ts'

const Filter = z.object({
  cursor: z.string().max(200).nullish(),
  limit: z.int().min(1).max(200).optional(),
  state: z.enum(['all', 'waiting', 'failed']).optional(),
  q: Search.optional(),
  /** ms since 1970 */
  since: z.int().min(0).max(8.64e15).optional(),
})

export const messagesRouter = router({
  list: orgProcedure.input(Filter).query(({ ctx, input }) => listMessages(ctx, input)),
  get: orgProcedure.input(z.object({ id: z.string().max(64) })).query(({ ctx, input }) => getMessage(ctx, input)),
})
