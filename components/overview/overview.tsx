'use client'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense } from 'react'
import { LinkMachineButton } from '../machines/link-machine-button.tsx'
import { PageBar } from '../shell/page-bar.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { Figures } from './figures.tsx'
import { HealthStrip } from './health-strip.tsx'
import { Latest, Trouble } from './lists.tsx'
import { MachinesCard } from './machines-card.tsx'
import { OverviewSkeleton } from './overview-skeleton.tsx'

const Checklist = lazy(() => import('./checklist.tsx').then((module) => ({ default: module.Checklist })))

/** The checklist until a first message has arrived, then the state of the organization. */
export function Overview({ org, origin }: { org: string; origin: string }) {
  const overview = useQuery(useTRPC().overview.get.queryOptions({ org }))
  const view = overview.data
  if (!view) return <OverviewSkeleton />
  if (!view.isSetUp) {
    const done = view.checklist.filter((step) => step.isDone).length
    return (
      <>
        <PageBar title="Overview">
          <span className="text-sm text-fg-3">
            {done} of {view.checklist.length} done
          </span>
        </PageBar>
        <Suspense>
          <Checklist steps={view.checklist} origin={origin} />
        </Suspense>
      </>
    )
  }
  return (
    <>
      <PageBar title="Overview">
        <LinkMachineButton org={org} origin={origin} />
      </PageBar>
      <div className="grid min-h-0 flex-1 content-start gap-3 overflow-y-auto p-3 max-lg:auto-rows-max md:px-4 lg:content-stretch lg:grid-rows-[auto_auto_minmax(420px,1fr)]">
        <HealthStrip view={view} />
        <Figures figures={view.figures} />
        <div className="grid gap-3 lg:min-h-0 lg:grid-cols-[minmax(0,1fr)_316px]">
          <div className="flex min-w-0 flex-col gap-3 lg:min-h-0">
            <MachinesCard machines={view.machines} slug={org} />
            <Latest messages={view.latest} slug={org} />
          </div>
          <Trouble view={view} slug={org} />
        </div>
      </div>
    </>
  )
}
