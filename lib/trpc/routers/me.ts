import { getMe } from '../../services/users/get-me.ts'
import { router, signedInProcedure } from '../init.ts'

export const meRouter = router({
  get: signedInProcedure.query(({ ctx }) => getMe(ctx)),
})
