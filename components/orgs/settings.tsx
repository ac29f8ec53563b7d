'use client'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { agentLimit, isPerPerson, limits, planNames } from '#lib/access/plans.ts'
import { paths } from '#lib/paths.ts'
import type { OrgView } from '#lib/trpc/views.ts'
import { count, plural } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { PageBar } from '../shell/page-bar.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { Card, CardHead } from '../ui/card.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { Archive } from './archive.tsx'
import { RenameOrg } from './rename-org.tsx'

/** Name, plan, archive, address and ids of the organization. */
export function Settings({ org: slug, origin }: { org: string; origin: string }) {
  const org = useQuery(useTRPC().orgs.get.queryOptions({ org: slug })).data
  return (
    <>
      <PageBar title="Settings" isLive={false} />
      <div className="grid min-h-0 flex-1 content-start gap-3 overflow-y-auto p-3 md:p-4">
        {org && (
          <div className="grid w-full max-w-[640px] gap-3">
            <RenameOrg org={org} />
            <Plan org={org} />
            <Archive org={org} />
            <Card aria-label="Address and ids">
              <CardHead title="Address and ids" />
              <dl>
                <Row term="Address">
                  <Value text={`${origin}${paths.org(org.slug)}`} label="Copy the address" />
                </Row>
                <Row term="Slug">
                  <Value text={org.slug} label="Copy the slug" />
                </Row>
                <Row term="Id">
                  <Value text={org.id} label="Copy the id" />
                </Row>
                <Row term="Created">
                  <Ago at={org.createdAt} />
                </Row>
              </dl>
            </Card>
          </div>
        )}
      </div>
    </>
  )
}

function Plan({ org }: { org: OrgView }) {
  const limit = limits[org.plan]
  return (
    <Card aria-label="Plan">
      <CardHead title="Plan" fact={planNames[org.plan]} />
      <dl>
        <Row term="Machines">
          {count(org.counts.machines)} of {upTo(limit.machines)}
        </Row>
        <Row term="Agents">
          {count(org.agentsUsed)} of {upTo(agentLimit(org.plan, org.members))}
          {isPerPerson(org.plan) && Number.isFinite(limit.agents) && (
            <span className="text-fg-3">, {count(limit.agents)} for each member</span>
          )}
        </Row>
        <Row term="Members">{plural(org.members, 'person', 'people')}</Row>
      </dl>
    </Card>
  )
}

const upTo = (limit: number): string => (Number.isFinite(limit) ? count(limit) : 'any number')

function Row({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div className="flex min-h-9 items-center gap-3 border-b border-hair px-3 last:border-b-0">
      <dt className="w-24 shrink-0 text-fg-2">{term}</dt>
      <dd className="min-w-0 flex-1">{children}</dd>
    </div>
  )
}

function Value({ text, label }: { text: string; label: string }) {
  return (
    <span className="flex items-center gap-1">
      <span className="mono truncate" title={text}>
        {text}
      </span>
      <CopyButton text={text} label={label} />
    </span>
  )
}
