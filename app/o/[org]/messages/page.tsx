import type { Metadata } from 'next'
import { Messages } from '#components/messages/messages.tsx'

import { Hydrate } from '../../../hydrate.tsx'

export const metadata: Metadata = { title: 'Messages' }

export default async function MessagesPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return (
    <Hydrate
      fill={(trpc, queryClient) =>
        queryClient.prefetchInfiniteQuery(
          trpc.messages.list.infiniteQueryOptions({ org }, { getNextPageParam: (page) => page.nextCursor }),
        )
      }
    >
      <Messages org={org} />
    </Hydrate>
  )
}
