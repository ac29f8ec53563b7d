import { z } from 'zod'
import { approveLink } from '../../services/link/approve-link.ts'
import { denyLink } from '../../services/link/deny-link.ts'
import { inspectLink } from '../../services/link/inspect-link.ts'
import { OrgRef, router, signedInProcedure } from '../init.ts'

const Code = z.object({ userCode: z.string().min(1).max(40) })

export const linkRouter = router({
  inspect: signedInProcedure.input(Code).query(({ ctx, input }) => inspectLink(ctx, input)),
  approve: signedInProcedure.input(Code.extend({ org: OrgRef })).mutation(({ ctx, input }) => approveLink(ctx, input)),
  deny: signedInProcedure.input(Code).mutation(({ ctx, input }) => denyLink(ctx, input)),
})
