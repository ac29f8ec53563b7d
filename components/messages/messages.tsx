'use client'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from 'react'
import { count } from '../format/format.ts'
import { PageBar } from '../shell/page-bar.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { useKeys } from '../shell/use-keys.ts'
import { oneOf, useUrlState } from '../shell/use-url-state.ts'
import { Button } from '../ui/button.tsx'
import { cn } from '../ui/cn.ts'
import { Command } from '../ui/copy.tsx'
import { Empty, Failed } from '../ui/empty.tsx'
import { SearchBox } from '../ui/search-box.tsx'
import { Segmented } from '../ui/segmented.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { MessageList } from './message-list.tsx'
import { useHeldRows } from './use-held-rows.ts'

const MessagePanel = lazy(() => import('./message-panel.tsx').then((module) => ({ default: module.MessagePanel })))

const shows = ['all', 'waiting', 'failed'] as const
const spans = { all: null, '15m': 15 * 60_000, '24h': 24 * 3_600_000 } as const
const spanKeys = ['all', '24h', '15m'] as const

/** Every message as it goes: a live list, and one message opened beside it. */
export function Messages({ org }: { org: string }) {
  const [params, setParams] = useUrlState()
  const show = oneOf(shows, params.get('show'))
  const span = oneOf(spanKeys, params.get('span'))
  const q = params.get('q') ?? ''
  const message = params.get('message')
  const list = useMessages(org, { show, span, q })
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.rows) ?? [], [list.data])
  const totals = list.data?.pages[0]
  const held = useHeldRows(rows)
  const { hold, release, visible } = held

  const select = (id: string) => {
    hold()
    setParams({ message: id }, message === null ? 'push' : 'replace')
  }
  const close = () => setParams({ message: null })
  // Also where the back button closed it.
  useEffect(() => {
    if (message === null) release()
  }, [message, release])
  const step = (by: 1 | -1) => () => {
    const at = visible.findIndex((row) => row.id === message)
    const next = visible[at < 0 ? 0 : at + by]
    if (next) select(next.id)
  }
  useKeys({
    j: step(1),
    k: step(-1),
    ArrowDown: step(1),
    ArrowUp: step(-1),
    ...(message !== null && { Escape: close }),
  })
  const setQ = useCallback((text: string) => setParams({ q: text }), [setParams])
  const { fetchNextPage, isFetchingNextPage } = list
  const more = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage()
  }, [fetchNextPage, isFetchingNextPage])
  const isArchived = useQuery(useTRPC().orgs.get.queryOptions({ org })).data?.archiveSince != null
  const isFiltered = show !== 'all' || span !== 'all' || q !== ''

  return (
    <>
      <PageBar title="Messages" fact={totals && `${count(totals.total15m)} in the last 15 min`}>
        <Segmented
          label="Show"
          value={show}
          onChange={(next) => setParams({ show: next === 'all' ? null : next })}
          choices={[
            { value: 'all', label: 'All' },
            { value: 'waiting', label: 'Waiting', count: totals && count(totals.waiting) },
            { value: 'failed', label: 'Failed', count: totals && count(totals.failed24h) },
          ]}
        />
      </PageBar>
      <div
        className={cn(
          'grid min-h-0 flex-1',
          message === null ? '' : 'lg:grid-cols-[minmax(0,1fr)_minmax(360px,448px)]',
        )}
      >
        <div className="flex min-h-0 min-w-0 flex-col">
          <div className="flex h-11 shrink-0 items-center gap-2 border-b border-hair px-3 sm:px-4">
            <Segmented
              label="Time"
              value={span}
              onChange={(next) => setParams({ span: next === 'all' ? null : next })}
              choices={[
                { value: 'all', label: 'Any time' },
                { value: '24h', label: '24 h' },
                { value: '15m', label: '15 min' },
              ]}
            />
            <span className="flex-1" />
            <SearchBox
              label={isArchived ? 'Agent, machine, id or words' : 'Agent, machine or id'}
              value={q}
              onChange={setQ}
            />
          </div>
          {list.isPending && <BoneRows rows={14} height={32} />}
          {list.isError && !list.data && <Failed error={list.error} onRetry={() => list.refetch()} />}
          {list.data && rows.length === 0 && list.hasNextPage && (
            <Empty title="Nothing among the newest messages">
              <p>A search looks through 50,000 messages at a time, and there are older ones.</p>
              <Button className="w-fit" onClick={more} aria-disabled={isFetchingNextPage}>
                {isFetchingNextPage ? 'Searching older messages' : 'Search older messages'}
              </Button>
            </Empty>
          )}
          {list.data && rows.length === 0 && !list.hasNextPage && (
            <Nothing isFiltered={isFiltered} onAll={() => setParams({ show: null, span: null, q: null })} />
          )}
          {rows.length > 0 && (
            <MessageList
              org={org}
              rows={visible}
              newer={held.newer}
              selected={message}
              hasMore={list.hasNextPage}
              onSelect={select}
              onAway={hold}
              onNewer={release}
              onMore={more}
            />
          )}
        </div>
        {message !== null && (
          <Suspense>
            <MessagePanel org={org} id={message} onClose={close} />
          </Suspense>
        )}
      </div>
    </>
  )
}

type Filter = { show: (typeof shows)[number]; span: keyof typeof spans; q: string }

function useMessages(org: string, { show, span, q }: Filter) {
  // The window starts when it is chosen: a start that moved along would be another query each time.
  const [chosen, setChosen] = useState(() => ({ span, at: Date.now() }))
  if (chosen.span !== span) setChosen({ span, at: Date.now() })
  const length = spans[span]
  const since = length === null ? undefined : chosen.at - length
  return useInfiniteQuery(
    useTRPC().messages.list.infiniteQueryOptions(
      { org, ...(show !== 'all' && { state: show }), ...(q !== '' && { q }), ...(since !== undefined && { since }) },
      { getNextPageParam: (page) => page.nextCursor, placeholderData: (before) => before },
    ),
  )
}

function Nothing({ isFiltered, onAll }: { isFiltered: boolean; onAll: () => void }) {
  if (isFiltered)
    return (
      <Empty title="No message matches">
        <p>
          Filters hide what there is.{' '}
          <button type="button" className="font-medium text-accent hover:underline" onClick={onAll}>
            Show all
          </button>
        </p>
      </Empty>
    )
  return (
    <Empty title="No message yet">
      <p>Every message between agents appears here with its way and its receipts. Send one:</p>
      <Command text={'agent-relay send Bob "Hello from Alice" --from Alice'} />
    </Empty>
  )
}
