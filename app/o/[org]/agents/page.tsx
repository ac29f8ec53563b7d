import type { Metadata } from 'next'
import { Agents } from '#components/agents/agents.tsx'
import { env } from '#lib/env.ts'
import { Hydrate } from '../../../hydrate.tsx'

export const metadata: Metadata = { title: 'Agents' }

export default async function AgentsPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return (
    <Hydrate fill={(trpc, queryClient) => queryClient.prefetchQuery(trpc.agents.list.queryOptions({ org }))}>
      <Agents org={org} origin={env().PUBLIC_URL} />
    </Hydrate>
  )
}
