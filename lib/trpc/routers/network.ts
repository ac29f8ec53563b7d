import { listLinks } from '../../services/reads/list-links.ts'
import { orgProcedure, router } from '../init.ts'

export const networkRouter = router({
  get: orgProcedure.query(({ ctx }) => listLinks(ctx)),
})
