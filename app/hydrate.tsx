import { dehydrate, HydrationBoundary, QueryClient } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { serverTrpc } from '#lib/trpc/server.ts'

type Fill = (trpc: ReturnType<typeof serverTrpc>, queryClient: QueryClient) => Promise<unknown>

/**
 * Runs a page's queries here and hands their answers to the browser, so that the first picture is complete.
 * `prefetchQuery` swallows errors: the component then asks itself and says what is wrong; `fetchQuery` throws them.
 */
export async function Hydrate({ fill, children }: { fill: Fill; children: ReactNode }) {
  const queryClient = new QueryClient()
  await fill(serverTrpc(queryClient), queryClient)
  return <HydrationBoundary state={dehydrate(queryClient)}>{children}</HydrationBoundary>
}
