/** tRPC for server components: the same procedures without HTTP, as the person of the current request. */

import type { QueryClient } from '@tanstack/react-query'
import { createTRPCOptionsProxy } from '@trpc/tanstack-react-query'
import { headers } from 'next/headers'
import { cache } from 'react'
import { browserContext } from '../auth/actor.ts'
import { createCallerFactory, type TrpcContext } from './init.ts'
import { appRouter } from './router.ts'

/** Once per request, however many components ask. */
const requestContext = cache(
  async (): Promise<TrpcContext> => ({ ...(await browserContext(await headers())), isOwnPage: true }),
)

/** `await api.me.get()`: a value, or a TRPCError whose `cause` is the DomainError. */
export const api = createCallerFactory(appRouter)(requestContext)

/** Query options that run here, for `queryClient.prefetchQuery(serverTrpc(queryClient).me.get.queryOptions())`. */
export const serverTrpc = (queryClient: QueryClient) =>
  createTRPCOptionsProxy({ ctx: requestContext, router: appRouter, queryClient })
