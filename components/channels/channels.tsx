'use client'
import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { lazy, Suspense, useCallback, useMemo, useState } from 'react'
import type { ChannelRow } from '#lib/trpc/views.ts'
import { count, plural } from '../format/format.ts'
import { PageBar } from '../shell/page-bar.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { useKeys } from '../shell/use-keys.ts'
import { useUrlState } from '../shell/use-url-state.ts'
import { Button } from '../ui/button.tsx'
import { cn } from '../ui/cn.ts'
import { Command } from '../ui/copy.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Empty, Failed, Waiting } from '../ui/empty.tsx'
import { SearchBox } from '../ui/search-box.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { columnsOf, layoutOf } from './channel-columns.tsx'

const ChannelPanel = lazy(() => import('./channel-panel.tsx').then((module) => ({ default: module.ChannelPanel })))
const CreateDialog = lazy(() => import('./create-dialog.tsx').then((module) => ({ default: module.CreateDialog })))

const found = (channel: ChannelRow, q: string): boolean =>
  [channel.name, channel.topic, ...channel.members.map(({ name }) => name)].some((text) =>
    text?.toLowerCase().includes(q),
  )

/** Every channel of the organization; one of them opened beside the table, which lives in the URL. */
export function Channels({ org }: { org: string }) {
  const channels = useQuery(useTRPC().channels.list.queryOptions({ org }))
  const [params, setParams] = useUrlState()
  const [isCreating, setCreating] = useState<boolean | null>(null)
  const q = params.get('q') ?? ''
  const name = params.get('channel')
  const opened = channels.data?.find((channel) => channel.name.toLowerCase() === name?.toLowerCase())
  const setQ = useCallback((text: string) => setParams({ q: text }), [setParams])
  const rows = useMemo(() => {
    const wanted = q.trim().replace(/^#/, '').toLowerCase()
    return channels.data?.filter((channel) => wanted === '' || found(channel, wanted))
  }, [channels.data, q])
  const open = useCallback(
    (next: string | null) => setParams({ channel: next }, next !== null && name === null ? 'push' : 'replace'),
    [setParams, name],
  )
  const columns = useMemo(() => columnsOf(org, open), [org, open])
  const layout = useMemo(() => layoutOf(name !== null), [name])
  const step = (by: 1 | -1) => () => {
    const names = rows?.map((channel) => channel.name.toLowerCase()) ?? []
    const at = names.indexOf(name?.toLowerCase() ?? '')
    const next = names[at < 0 ? 0 : at + by]
    if (next !== undefined) open(next)
  }
  useKeys({ j: step(1), k: step(-1), n: () => setCreating(true), ...(name !== null && { Escape: () => open(null) }) })
  const joined = channels.data?.filter(({ isMember }) => isMember).length ?? 0
  const isEmpty = channels.data?.length === 0

  return (
    <>
      <PageBar
        title="Channels"
        fact={
          channels.data &&
          !isEmpty &&
          `${plural(channels.data.length, 'channel')}, ${joined === 0 ? 'none' : count(joined)} joined`
        }
      >
        <Button variant="primary" onClick={() => setCreating(true)} title="Create a channel (N)">
          <Plus aria-hidden size={14} />
          Create a channel
        </Button>
      </PageBar>
      <div
        className={cn(
          'grid min-h-0 flex-1 grid-cols-[minmax(0,1fr)]',
          name !== null && 'lg:grid-cols-[minmax(0,1fr)_minmax(360px,448px)]',
        )}
      >
        <div className="flex min-h-0 min-w-0 flex-col">
          {!isEmpty && (
            <div className="flex h-11 shrink-0 items-center justify-end gap-2 border-b border-hair px-3 sm:px-4">
              <SearchBox label="Channel, topic, member" value={q} onChange={setQ} />
            </div>
          )}
          <div className="min-h-0 flex-1 overflow-auto">
            {channels.isError && !channels.data && <Failed error={channels.error} onRetry={() => channels.refetch()} />}
            {channels.isPending && <BoneRows rows={6} />}
            {isEmpty && <NoChannel />}
            {rows?.length === 0 && !isEmpty && (
              <Empty title="No channel matches">
                <p>
                  None of {channels.data?.length} matches “{q}”.{' '}
                  <button type="button" className="font-medium text-accent hover:underline" onClick={() => setQ('')}>
                    Show all
                  </button>
                </p>
              </Empty>
            )}
            {rows && rows.length > 0 && (
              <DataTable
                label="Channels"
                rows={rows}
                columns={columns}
                layout={layout}
                rowId={(channel) => channel.name}
                initialSort="name"
                rowClassName={(channel) =>
                  channel === opened
                    ? 'bg-accent-soft [&>td:first-child]:shadow-[inset_2px_0_0_var(--accent-solid)]'
                    : undefined
                }
              />
            )}
          </div>
        </div>
        {name !== null && channels.data && (
          <Suspense>
            <ChannelPanel key={name} org={org} name={name} channel={opened} onClose={() => open(null)} />
          </Suspense>
        )}
      </div>
      <Suspense>
        {isCreating !== null && (
          <CreateDialog
            org={org}
            open={isCreating}
            onOpenChange={setCreating}
            onCreated={(created) => open(created.toLowerCase())}
          />
        )}
      </Suspense>
    </>
  )
}

function NoChannel() {
  return (
    <Empty title="No channel yet">
      <p>
        A channel is an address for several agents at once. What anybody writes to it reaches every member, and its
        history stays here for people to read and answer.
      </p>
      <p>The first agent that joins makes it. On a linked machine:</p>
      <Command text="agent-relay join '#ops' --as Alice" />
      <Waiting>Waiting for a first channel</Waiting>
    </Empty>
  )
}
