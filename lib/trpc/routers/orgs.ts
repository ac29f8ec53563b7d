import { z } from 'zod'
import { createOrg } from '../../services/orgs/create-org.ts'
import { getOrg } from '../../services/orgs/get-org.ts'
import { setArchive } from '../../services/orgs/set-archive.ts'
import { updateOrg } from '../../services/orgs/update-org.ts'
import { orgProcedure, router, signedInProcedure } from '../init.ts'

const OrgName = z
  .string()
  .trim()
  .min(1, 'a name has at least one character')
  .max(80, 'a name has at most 80 characters')
  .regex(/^[^\p{Cc}]*$/u, 'a name is one line of plain text')

export const orgsRouter = router({
  create: signedInProcedure
    .input(z.object({ name: OrgName, slug: z.string().trim().toLowerCase().min(1).max(64).optional() }))
    .mutation(({ ctx, input }) => createOrg(ctx, input)),
  get: orgProcedure.query(({ ctx }) => getOrg(ctx)),
  setArchive: orgProcedure.input(z.object({ isOn: z.boolean() })).mutation(({ ctx, input }) => setArchive(ctx, input)),
  update: orgProcedure.input(z.object({ name: OrgName })).mutation(({ ctx, input }) => updateOrg(ctx, input)),
})
