'use client'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createTRPCClient, httpBatchLink, type TRPCClientError } from '@trpc/client'
import { createTRPCContext } from '@trpc/tanstack-react-query'
import { type ReactNode, useState } from 'react'
import { paths } from '#lib/paths.ts'
import type { AppRouter } from '#lib/trpc/router.ts'

const { TRPCProvider, useTRPC, useTRPCClient } = createTRPCContext<AppRouter>()

export { useTRPC, useTRPCClient }

/** A refusal is an answer; only what may go away by itself is tried again. */
const isWorthRetrying = (failures: number, error: unknown): boolean => {
  const status = (error as TRPCClientError<AppRouter>).data?.httpStatus
  return failures < 2 && (status === undefined || status >= 500)
}

export function QueryProvider({ children }: { children: ReactNode }) {
  const [queryClient] = useState(
    () =>
      new QueryClient({
        // Hints from the control plane say when something is old; a window that gets focus need not ask.
        defaultOptions: {
          queries: { staleTime: 30_000, refetchOnWindowFocus: false, retry: isWorthRetrying },
        },
      }),
  )
  const [trpcClient] = useState(() =>
    createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: paths.api.trpc() })] }),
  )
  return (
    <QueryClientProvider client={queryClient}>
      <TRPCProvider trpcClient={trpcClient} queryClient={queryClient}>
        {children}
      </TRPCProvider>
    </QueryClientProvider>
  )
}
