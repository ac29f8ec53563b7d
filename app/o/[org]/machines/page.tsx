import type { Metadata } from 'next'
import { Machines } from '#components/machines/machines.tsx'
import { env } from '#lib/env.ts'
import { Hydrate } from '../../../hydrate.tsx'

export const metadata: Metadata = { title: 'Machines' }

export default async function MachinesPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return (
    <Hydrate
      fill={(trpc, queryClient) =>
        Promise.all([
          queryClient.prefetchQuery(trpc.machines.list.queryOptions({ org })),
          queryClient.prefetchQuery(trpc.network.get.queryOptions({ org })),
        ])
      }
    >
      <Machines org={org} origin={env().PUBLIC_URL} />
    </Hydrate>
  )
}
