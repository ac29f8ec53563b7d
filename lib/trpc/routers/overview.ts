import { getOverview } from '../../services/overview/get-overview.ts'
import { orgProcedure, router } from '../init.ts'

export const overviewRouter = router({
  get: orgProcedure.query(({ ctx }) => getOverview(ctx)),
})
