import type { Metadata } from 'next'
import { Network } from '#components/network/network.tsx'
import { env } from '#lib/env.ts'
import { Hydrate } from '../../../hydrate.tsx'

export const metadata: Metadata = { title: 'Network' }

export default async function NetworkPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return (
    <Hydrate fill={(trpc, queryClient) => queryClient.prefetchQuery(trpc.network.get.queryOptions({ org }))}>
      <Network org={org} origin={env().PUBLIC_URL} />
    </Hydrate>
  )
}
