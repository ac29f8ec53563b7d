import type { Metadata } from 'next'
import { Inbox } from '#components/inbox/inbox.tsx'
import { Hydrate } from '../../../hydrate.tsx'

export const metadata: Metadata = { title: 'Inbox' }

type Props = { params: Promise<{ org: string }>; searchParams: Promise<{ with?: string | string[] }> }

export default async function InboxPage({ params, searchParams }: Props) {
  const { org } = await params
  const { with: key } = await searchParams
  return (
    <Hydrate
      fill={(trpc, queryClient) =>
        Promise.all([
          queryClient.prefetchQuery(trpc.inbox.list.queryOptions({ org })),
          typeof key === 'string' && queryClient.prefetchQuery(trpc.inbox.get.queryOptions({ org, key })),
          typeof key === 'string' &&
            key.startsWith('channel:') &&
            queryClient.prefetchQuery(trpc.channels.list.queryOptions({ org })),
        ])
      }
    >
      <Inbox org={org} />
    </Hydrate>
  )
}
