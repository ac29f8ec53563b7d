import { TRPCError } from '@trpc/server'
import type { Metadata } from 'next'
import { notFound } from 'next/navigation'
import type { ReactNode } from 'react'
import { Shell } from '#components/shell/shell.tsx'
import { paths } from '#lib/paths.ts'
import { api } from '#lib/trpc/server.ts'
import { Hydrate } from '../../hydrate.tsx'
import { requirePerson } from '../../require-person.ts'

export async function generateMetadata({ params }: { params: Promise<{ org: string }> }): Promise<Metadata> {
  const { org } = await params
  const name = await api.orgs.get({ org }).then(
    (view) => view.name,
    () => null, // signed out or not a member: the layout below answers
  )
  return name === null ? {} : { title: { default: `${name} · Agent Relay`, template: `%s · ${name} · Agent Relay` } }
}

export default async function OrgLayout({
  params,
  children,
}: {
  params: Promise<{ org: string }>
  children: ReactNode
}) {
  const { org } = await params
  await requirePerson(paths.org(org))
  return (
    <Hydrate
      fill={async (trpc, queryClient) => {
        try {
          await Promise.all([
            queryClient.fetchQuery(trpc.orgs.get.queryOptions({ org })),
            queryClient.fetchQuery(trpc.me.get.queryOptions()),
          ])
        } catch (error) {
          if (error instanceof TRPCError && error.code === 'NOT_FOUND') notFound()
          throw error
        }
      }}
    >
      <Shell org={org}>{children}</Shell>
    </Hydrate>
  )
}
