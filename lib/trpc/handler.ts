import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { browserContext } from '../auth/actor.ts'
import { isSameOrigin } from '../auth/origin.ts'
import { getLog } from '../log.ts'
import { paths } from '../paths.ts'
import { appRouter } from './router.ts'

/** tRPC over HTTP: queries by GET, changes by POST from our own pages only, batches of at most 20. */
export const handleTrpc = (request: Request): Promise<Response> =>
  fetchRequestHandler({
    endpoint: paths.api.trpc(),
    req: request,
    router: appRouter,
    maxBatchSize: 20,
    createContext: async () => ({
      ...(await browserContext(request.headers)),
      isOwnPage: isSameOrigin(request.headers),
    }),
    onError: ({ error, path, ctx }) => {
      if (error.code === 'INTERNAL_SERVER_ERROR')
        getLog().error({ err: error.cause ?? error, path, requestId: ctx?.requestId }, 'a procedure failed')
    },
    responseMeta: () => ({ headers: new Headers({ 'cache-control': 'no-store' }) }),
  })
