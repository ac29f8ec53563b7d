import type { Metadata } from 'next'
import { Channels } from '#components/channels/channels.tsx'
import { Hydrate } from '../../../hydrate.tsx'

export const metadata: Metadata = { title: 'Channels' }

export default async function ChannelsPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return (
    <Hydrate fill={(trpc, queryClient) => queryClient.prefetchQuery(trpc.channels.list.queryOptions({ org }))}>
      <Channels org={org} />
    </Hydrate>
  )
}
