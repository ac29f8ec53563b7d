'use client'
import { useQuery } from '@tanstack/react-query'
import { PenLine } from 'lucide-react'
import { lazy, Suspense, useCallback, useMemo, useState } from 'react'
import type { ConversationRow } from '#lib/trpc/views.ts'
import { plural } from '../format/format.ts'
import { PageBar } from '../shell/page-bar.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { useKeys } from '../shell/use-keys.ts'
import { oneOf, useUrlState } from '../shell/use-url-state.ts'
import { Kbd } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { cn } from '../ui/cn.ts'
import { Command } from '../ui/copy.tsx'
import { Empty, Failed, Waiting } from '../ui/empty.tsx'
import { SearchBox } from '../ui/search-box.tsx'
import { Segmented } from '../ui/segmented.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { keyOf } from './address.ts'
import { ConversationList } from './conversation-list.tsx'
import { useHeldOrder } from './use-held-order.ts'

const Conversation = lazy(() => import('./conversation.tsx').then((module) => ({ default: module.Conversation })))
const RecipientPicker = lazy(() =>
  import('./recipient-picker.tsx').then((module) => ({ default: module.RecipientPicker })),
)

const shows = ['all', 'unread'] as const

const found = (row: ConversationRow, q: string): boolean =>
  [row.name, row.machine, row.preview].some((text) => text?.toLowerCase().includes(q))

/** A person's conversations with agents and in channels; which one is open lives in the URL. */
export function Inbox({ org }: { org: string }) {
  const trpc = useTRPC()
  const list = useQuery(trpc.inbox.list.queryOptions({ org }))
  const me = useQuery(trpc.me.get.queryOptions()).data?.user.handle
  const [params, setParams] = useUrlState()
  const [isPicking, setPicking] = useState<boolean | null>(null)
  /** The conversation that was chosen in order to write. */
  const [written, setWritten] = useState<string | null>(null)
  const open = params.get('with')
  const show = oneOf(shows, params.get('show'))
  const q = (params.get('q') ?? '').replace(/^#/, '')
  const rows = useMemo(() => {
    const wanted = q.trim().toLowerCase()
    return list.data?.filter(
      (row) =>
        (show === 'all' || row.unread > 0 || row.key === open) &&
        (wanted === '' || row.key === open || found(row, wanted)),
    )
  }, [list.data, show, q, open])
  const held = useHeldOrder(rows ?? [], `${show} ${q}`)
  const isEmpty = list.data?.length === 0
  const unread = list.data?.filter((row) => row.unread > 0).length ?? 0

  const select = (key: string) => setParams({ with: key }, open === null ? 'push' : 'replace')
  const close = () => setParams({ with: null })
  const step = (by: 1 | -1) => () => {
    const at = held.ordered.findIndex(({ key }) => key === open)
    const next = held.ordered[at < 0 ? 0 : at + by]
    if (next) select(next.key)
  }
  useKeys({ j: step(1), k: step(-1), ArrowDown: step(1), ArrowUp: step(-1), n: () => setPicking(true) })
  const setQ = useCallback((text: string) => setParams({ q: text }), [setParams])

  return (
    <>
      <div className={cn('shrink-0', open !== null && 'max-lg:hidden')}>
        <PageBar
          title="Inbox"
          fact={list.data && !isEmpty && (unread > 0 ? `${plural(unread, 'conversation')} unread` : 'all read')}
        >
          <Button onClick={() => setPicking(true)} title="New message (N)">
            <PenLine aria-hidden size={14} />
            New message
          </Button>
        </PageBar>
      </div>
      {open !== null && <h1 className="sr-only lg:hidden">Inbox</h1>}
      {isEmpty && open === null ? (
        <NobodyYet handle={me} />
      ) : (
        <div
          className={cn(
            'grid min-h-0 flex-1 grid-cols-[minmax(0,1fr)]',
            !isEmpty && 'lg:grid-cols-[320px_minmax(0,1fr)]',
          )}
        >
          {!isEmpty && (
            <div
              className={cn(
                'flex min-h-0 min-w-0 flex-col lg:border-r lg:border-line',
                open !== null && 'max-lg:hidden',
              )}
            >
              <div className="flex h-11 shrink-0 items-center gap-2 border-b border-hair px-3 sm:px-4">
                <Segmented
                  label="Show"
                  value={show}
                  onChange={(next) => setParams({ show: next === 'all' ? null : next })}
                  choices={[
                    { value: 'all', label: 'All' },
                    { value: 'unread', label: 'Unread', count: unread },
                  ]}
                />
                <SearchBox label="Search" value={params.get('q') ?? ''} onChange={setQ} />
              </div>
              {list.isPending && <BoneRows rows={10} height={52} />}
              {list.isError && !list.data && <Failed error={list.error} onRetry={() => list.refetch()} />}
              {list.data && rows?.length === 0 && (
                <Empty title="No conversation matches">
                  <p>
                    None of {list.data.length} does.{' '}
                    <button
                      type="button"
                      className="font-medium text-accent hover:underline"
                      onClick={() => setParams({ q: null, show: null })}
                    >
                      Show all
                    </button>
                  </p>
                </Empty>
              )}
              {rows && rows.length > 0 && (
                <ConversationList org={org} me={me} held={held} selected={open} onSelect={select} />
              )}
            </div>
          )}
          {open === null ? (
            <Unopened />
          ) : (
            <Suspense fallback={<BoneRows rows={6} height={52} />}>
              <Conversation
                key={open}
                org={org}
                conversationKey={open}
                isForWriting={open === written}
                onClose={close}
              />
            </Suspense>
          )}
        </div>
      )}
      <Suspense>
        {isPicking !== null && (
          <RecipientPicker
            org={org}
            title="New message"
            opensConversation
            open={isPicking}
            onOpenChange={setPicking}
            onPick={(picked) => {
              setPicking(false)
              setWritten(keyOf(picked))
              select(keyOf(picked))
            }}
          />
        )}
      </Suspense>
    </>
  )
}

function NobodyYet({ handle }: { handle: string | undefined }) {
  return (
    <Empty title="Nobody wrote to you yet">
      <p>Agents reach you by your name, and you answer here. On a linked machine:</p>
      <Command text={`agent-relay send @${handle ?? 'you'} "Deploy?" --from Bob`} />
      <Waiting>Waiting for a first message</Waiting>
    </Empty>
  )
}

function Unopened() {
  const keys = [
    ['J', 'next conversation'],
    ['Enter', 'write'],
    ['R', 'reply'],
    ['N', 'new message'],
  ] as const
  return (
    <div className="hidden place-items-center text-fg-3 lg:grid">
      <div className="grid justify-items-start gap-2">
        <p className="text-fg-2">Choose a conversation.</p>
        <dl className="grid grid-cols-[auto_1fr] items-center gap-x-3 gap-y-1 text-sm">
          {keys.map(([key, label]) => (
            <div key={key} className="contents">
              <dt>
                <Kbd>{key}</Kbd>
              </dt>
              <dd>{label}</dd>
            </div>
          ))}
        </dl>
      </div>
    </div>
  )
}
