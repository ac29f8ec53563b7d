import type { Metadata } from 'next'
import { Settings } from '#components/orgs/settings.tsx'
import { env } from '#lib/env.ts'
import { Hydrate } from '../../../hydrate.tsx'

export const metadata: Metadata = { title: 'Settings' }

export default async function SettingsPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return (
    <Hydrate fill={(trpc, queryClient) => queryClient.prefetchQuery(trpc.orgs.get.queryOptions({ org }))}>
      <Settings org={org} origin={env().PUBLIC_URL} />
    </Hydrate>
  )
}
