'use client'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Laptop } from 'lucide-react'
import Link from 'next/link'
import { type ReactNode, useState } from 'react'
import { paths } from '#lib/paths.ts'
import type { LinkRequestView, OrgSummary } from '#lib/trpc/views.ts'
import { system } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Bone } from '../ui/skeleton.tsx'
import { Ended, Outcome } from './outcome.tsx'

/** Teams first: a machine whose agents others write to belongs there more often than to one person. */
const teamsFirst = (orgs: OrgSummary[]): OrgSummary[] =>
  [...orgs].sort(
    (a, b) => Number(a.kind === 'personal') - Number(b.kind === 'personal') || a.name.localeCompare(b.name),
  )

/** Which machine asks, from where, and into which organization it goes. */
export function Approve({ request, onOtherCode }: { request: LinkRequestView; onOtherCode: () => void }) {
  const trpc = useTRPC()
  const me = useQuery(trpc.me.get.queryOptions())
  const approve = useMutation(trpc.link.approve.mutationOptions())
  const deny = useMutation(trpc.link.deny.mutationOptions())
  const [chosen, setChosen] = useState<string | null>(null)
  const orgs = teamsFirst(me.data?.orgs ?? [])
  const target = orgs.find((org) => org.id === chosen) ?? orgs.find((org) => org.slug === request.wantedOrg) ?? orgs[0]
  const { userCode, machineName } = request

  if (approve.data) {
    const { machine, org } = approve.data
    return (
      <Outcome isGood title={`${machine.name} is linked to ${org.name}`}>
        <p>You can close this page; the terminal says the same and what to do next.</p>
        <Link href={paths.org(org.slug)} className="w-fit font-medium text-accent hover:underline">
          Open {org.name}
        </Link>
      </Outcome>
    )
  }
  if (deny.data)
    return (
      <Outcome title={`${machineName} was denied`}>
        <p>You can close this page; the terminal says that you denied it. Nothing was linked.</p>
      </Outcome>
    )
  if (request.state !== 'pending') return <Ended request={request} onOtherCode={onOtherCode} />

  const error = approve.error ?? deny.error
  const isBusy = approve.isPending || deny.isPending
  return (
    <div className="grid gap-4">
      <p className="text-fg-2">
        Link this machine only if its terminal shows <span className="mono font-medium text-fg">{userCode}</span>.
        Whoever uses it can then run agents in your organization.
      </p>
      <Card>
        <div className="flex items-center gap-2 border-b border-hair px-3 py-2.5">
          <Laptop aria-hidden size={16} className="text-fg-3" />
          <span className="truncate font-mono text-lg font-medium">{machineName}</span>
          <span className="mono ml-auto shrink-0 rounded-1 bg-surface-3 px-1.5 leading-5">{userCode}</span>
        </div>
        <dl>
          <Fact term="System">{system(request.platform)}</Fact>
          <Fact term="Address">
            <span className="mono">{request.address}</span>
          </Fact>
          <Fact term="Asked">
            <Ago at={request.createdAt} />
          </Fact>
          <Fact term="Version">
            <span className="mono">{request.version}</span>
          </Fact>
        </dl>
      </Card>
      <fieldset className="grid gap-1.5">
        <legend className="mb-1.5 font-medium">Organization</legend>
        {me.isPending && <Bone shape="h-10 rounded-1" className="w-full" />}
        {orgs.map((org) => (
          <label
            key={org.id}
            className="flex h-10 cursor-pointer items-center gap-2.5 rounded-2 border border-line px-3 hover:bg-surface-3 has-checked:border-accent-solid has-checked:bg-accent-soft"
          >
            <input
              type="radio"
              name="org"
              className="accent-(--accent-solid)"
              checked={org.id === target?.id}
              onChange={() => setChosen(org.id)}
            />
            <span className="truncate font-medium">{org.name}</span>
            <span className="ml-auto shrink-0 text-sm text-fg-3">
              {org.kind === 'personal' ? 'personal' : org.role}
            </span>
          </label>
        ))}
      </fieldset>
      {error && (
        <p role="alert" className="text-fail">
          {error.message}
        </p>
      )}
      <div className="flex items-center gap-2">
        <Button
          variant="primary"
          size="lg"
          aria-disabled={isBusy || !target}
          onClick={() => target && approve.mutate({ userCode, org: target.id })}
        >
          {approve.isPending ? 'Linking' : `Link to ${target?.name ?? 'an organization'}`}
        </Button>
        <Button size="lg" aria-disabled={isBusy} onClick={() => deny.mutate({ userCode })}>
          {deny.isPending ? 'Denying' : 'Deny'}
        </Button>
      </div>
    </div>
  )
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div className="flex min-h-8 items-center border-b border-hair px-3 last:border-b-0">
      <dt className="w-24 shrink-0 text-fg-2">{term}</dt>
      <dd className="min-w-0 truncate">{children}</dd>
    </div>
  )
}
