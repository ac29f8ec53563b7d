'use client'
import { useQuery } from '@tanstack/react-query'
import { lazy, type ReactNode, Suspense, useCallback, useMemo } from 'react'
import type { NetworkView } from '#lib/trpc/views.ts'
import { plural } from '../format/format.ts'
import { linkCommand } from '../machines/commands.ts'
import { LinkMachineButton } from '../machines/link-machine-button.tsx'
import { PathGlyph } from '../marks/message.tsx'
import { PageBar } from '../shell/page-bar.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { useKeys } from '../shell/use-keys.ts'
import { useUrlState } from '../shell/use-url-state.ts'
import { cn } from '../ui/cn.ts'
import { Command } from '../ui/copy.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Empty, Failed, Waiting } from '../ui/empty.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { columnsOf, layout } from './network-columns.tsx'
import { NetworkPanel } from './network-panel.tsx'
import { factOf, rowsOf } from './rows.ts'
import { useMedia } from './use-media.ts'

const Graph = lazy(() => import('./graph.tsx').then((module) => ({ default: module.Graph })))

/** How machines reach each other: a picture, and a table that says the same. */
export function Network({ org, origin }: { org: string; origin: string }) {
  const network = useQuery(useTRPC().network.get.queryOptions({ org }))
  const [params, setParams] = useUrlState()
  const chosen = params.get('link')
  const choose = useCallback(
    (id: string) => setParams({ link: id }, chosen === null ? 'push' : 'replace'),
    [setParams, chosen],
  )
  const close = () => setParams({ link: null })
  useKeys(chosen === null ? {} : { Escape: close })
  const view = network.data
  return (
    <>
      <PageBar title="Network" fact={view && view.machines.length > 0 && factOf(view, plural)}>
        <LinkMachineButton org={org} origin={origin} />
      </PageBar>
      {network.isError && !view && <Failed error={network.error} onRetry={() => network.refetch()} />}
      {network.isPending && <BoneRows rows={6} height={52} />}
      {view?.machines.length === 0 && (
        <Empty title="No machine is linked">
          <p>
            This page shows how machines reach each other: directly, or through the control plane. Link the first one:
          </p>
          <Command text={linkCommand(origin)} />
          <Waiting>Waiting for a machine to link</Waiting>
        </Empty>
      )}
      {view && view.machines.length > 0 && (
        <div className="grid min-h-0 flex-1 max-lg:grid-rows-[auto_minmax(0,1fr)] lg:grid-cols-[minmax(0,1fr)_minmax(440px,44%)]">
          <GraphPane network={view} chosen={chosen} onChoose={choose} />
          <TablePane org={org} network={view} chosen={chosen} onChoose={choose} onClose={close} />
        </div>
      )}
    </>
  )
}

type Chosen = { network: NetworkView; chosen: string | null; onChoose: (id: string) => void }

/** The picture is for screens on which it can be read; it comes after the page, for its library is heavy. */
function GraphPane(props: Chosen) {
  const isShown = useMedia('(min-width: 640px)')
  return (
    <section
      aria-label="Picture of the network"
      className="flex min-h-0 min-w-0 flex-col border-hair bg-surface-2 max-lg:border-b max-sm:hidden lg:border-r"
    >
      <div className="relative min-h-0 flex-1 max-lg:h-[380px] max-lg:flex-none">
        {isShown && (
          <Suspense fallback={<div aria-busy className="size-full" />}>
            <Graph {...props} />
          </Suspense>
        )}
      </div>
      <Legend />
    </section>
  )
}

function Legend() {
  return (
    <div className="flex h-8 shrink-0 items-center gap-4 border-t border-hair px-4 text-sm text-fg-2">
      <LegendItem glyph="direct">direct</LegendItem>
      <LegendItem glyph="dashed">relay</LegendItem>
      <LegendItem glyph="dashed" tone="text-warn">
        suspect
      </LegendItem>
      <LegendItem glyph="none">down</LegendItem>
    </div>
  )
}

type LegendProps = { glyph: 'direct' | 'dashed' | 'none'; tone?: string; children: ReactNode }

function LegendItem({ glyph, tone, children }: LegendProps) {
  return (
    <span className={cn('inline-flex items-center gap-1.5', tone)}>
      <PathGlyph kind={glyph} />
      {children}
    </span>
  )
}

function TablePane({ org, network, chosen, onChoose, onClose }: Chosen & { org: string; onClose: () => void }) {
  const rows = useMemo(() => rowsOf(network), [network])
  const columns = useMemo(() => columnsOf({ org, chosen, onChoose }), [org, chosen, onChoose])
  const row = rows.find(({ id }) => id === chosen)
  return (
    <div className="flex min-h-0 min-w-0 flex-col">
      <div className="min-h-0 flex-1 overflow-auto">
        <DataTable
          label="Links"
          rows={rows}
          columns={columns}
          layout={layout}
          rowId={({ id }) => id}
          initialSort="path"
          rowClassName={({ id }) =>
            id === chosen
              ? 'bg-accent-soft hover:bg-accent-soft! shadow-[inset_2px_0_0_var(--accent-solid)]'
              : undefined
          }
        />
        {network.links.length === 0 && (
          <div className="grid gap-2 px-4 py-5">
            <p className="text-fg-2">
              Two machines are linked from the first message between them on: through the control plane at once,
              directly as soon as they have found a way.
            </p>
            <Waiting>Waiting for a message between two machines</Waiting>
          </div>
        )}
      </div>
      {row && <NetworkPanel row={row} onClose={onClose} />}
    </div>
  )
}
