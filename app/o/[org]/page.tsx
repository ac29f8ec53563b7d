import type { Metadata } from 'next'
import { Overview } from '#components/overview/overview.tsx'
import { env } from '#lib/env.ts'
import { Hydrate } from '../../hydrate.tsx'

export const metadata: Metadata = { title: 'Overview' }

export default async function OverviewPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return (
    <Hydrate fill={(trpc, queryClient) => queryClient.prefetchQuery(trpc.overview.get.queryOptions({ org }))}>
      <Overview org={org} origin={env().PUBLIC_URL} />
    </Hydrate>
  )
}
