'use client'
import { ArrowUp } from 'lucide-react'
import { type MouseEvent, useEffect, useRef, useSyncExternalStore } from 'react'
import { paths } from '#lib/paths.ts'
import type { MessageRow } from '#lib/trpc/views.ts'
import { duration, plural } from '../format/format.ts'
import { Age, Clock } from '../format/time.tsx'
import { FromTo, PathMark, ReceiptMark } from '../marks/message.tsx'
import { cn } from '../ui/cn.ts'
import { troubleOf } from './trouble.ts'
import { useWindow } from './use-window.ts'

/** The names get what the other columns do not need; beside an opened message the time does without its thousandths. */
const wide = 'sm:grid-cols-[108px_minmax(0,1fr)_116px_112px_76px]'
const compact = 'sm:grid-cols-[72px_minmax(0,1fr)_104px_92px_68px]'
/** Slower than this is worth a second look, ms. */
const SLOW_MS = 1000

const narrow = '(max-width: 639px)'
const useIsNarrow = () =>
  useSyncExternalStore(
    (listener) => {
      const query = matchMedia(narrow)
      query.addEventListener('change', listener)
      return () => query.removeEventListener('change', listener)
    },
    () => matchMedia(narrow).matches,
    () => false,
  )

type Props = {
  org: string
  rows: MessageRow[]
  newer: number
  selected: string | null
  hasMore: boolean
  onSelect: (id: string) => void
  onAway: () => void
  onNewer: () => void
  onMore: () => void
}

/** Rows of 32 px, newest first; only those on screen are in the page. */
export function MessageList({ org, rows, newer, selected, hasMore, onSelect, onAway, onNewer, onMore }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const isNarrow = useIsNarrow()
  const height = isNarrow ? 52 : 32
  const { first, end, reveal } = useWindow(box, { count: rows.length, height })
  useEffect(() => {
    if (hasMore && end >= rows.length - 10) onMore()
  }, [hasMore, end, rows.length, onMore])
  // Only a new choice scrolls; rows that come and go must not.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    const index = selected === null ? -1 : rows.findIndex((row) => row.id === selected)
    if (index >= 0) reveal(index)
  }, [selected])
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div
        aria-hidden
        className={cn(
          'hidden h-7 shrink-0 items-center gap-2 border-b border-hair bg-surface-2 px-4 text-xs font-medium text-fg-3 sm:grid',
          selected === null ? wide : compact,
        )}
      >
        <span>Time</span>
        <span>From and to</span>
        <span>Receipt</span>
        <span>Path</span>
        <span className="text-right">Took</span>
      </div>
      {newer > 0 && (
        <button
          type="button"
          onClick={() => {
            onNewer()
            reveal(0)
          }}
          className="flex h-7 shrink-0 items-center justify-center gap-1.5 border-b border-hair bg-accent-soft text-sm font-medium text-accent"
        >
          <ArrowUp aria-hidden size={12} />
          {plural(newer, 'new message')}
        </button>
      )}
      <div
        ref={box}
        className="min-h-0 flex-1 overflow-y-auto"
        onScroll={(event) => (event.currentTarget.scrollTop > height ? onAway() : undefined)}
      >
        <ol aria-label="Messages, newest first" className="relative" style={{ height: rows.length * height }}>
          {rows.slice(first, end).map((message, offset) => (
            <Row
              key={message.id}
              message={message}
              index={first + offset}
              height={height}
              href={paths.messages(org, message.id)}
              isSelected={message.id === selected}
              isCompact={selected !== null}
              onSelect={onSelect}
            />
          ))}
        </ol>
      </div>
    </div>
  )
}

function Row({
  message,
  index,
  height,
  href,
  isSelected,
  isCompact,
  onSelect,
}: {
  message: MessageRow
  index: number
  height: number
  href: string
  isSelected: boolean
  isCompact: boolean
  onSelect: (id: string) => void
}) {
  function open(event: MouseEvent) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return // a new tab, as links do
    event.preventDefault()
    onSelect(message.id)
  }
  const trouble = troubleOf(message)
  const isFailed = message.state === 'failed'
  return (
    <li
      aria-posinset={index + 1}
      aria-setsize={-1}
      style={{ height, transform: `translateY(${index * height}px)` }}
      className={cn(
        'absolute inset-x-0 top-0 border-b border-hair px-4',
        'max-sm:grid max-sm:grid-cols-[minmax(0,1fr)_auto] max-sm:content-center max-sm:gap-x-2',
        'sm:grid sm:items-center sm:gap-2',
        isCompact ? compact : wide,
        isSelected ? 'bg-accent-soft shadow-[inset_2px_0_0_var(--accent-solid)]' : 'hover:bg-surface-3',
      )}
    >
      <span className="max-sm:order-3">
        <Clock at={message.sentAt} withMs={!isCompact} className="mono text-fg-3" />
      </span>
      <span className="flex min-w-0 max-sm:order-1">
        <a
          href={href}
          onClick={open}
          aria-current={isSelected ? 'true' : undefined}
          className="flex min-w-0 shrink-0 max-w-full after:absolute after:inset-0"
        >
          <FromTo message={message} />
        </a>
        {trouble !== null && !isCompact && (
          <span
            title={trouble}
            className={cn(
              'ml-3 min-w-0 flex-1 truncate text-sm leading-5 max-sm:hidden',
              isFailed ? 'text-fail' : 'text-fg-3',
            )}
          >
            {trouble}
            {!isFailed && (
              <>
                , <Age at={message.sentAt} />
              </>
            )}
          </span>
        )}
      </span>
      <span className="max-sm:order-2">
        <ReceiptMark message={message} />
      </span>
      <span className="max-sm:order-4 max-sm:flex max-sm:justify-end">
        <PathMark message={message} />
      </span>
      <span
        className={cn(
          'text-right max-sm:hidden',
          message.tookMs !== null && message.tookMs > SLOW_MS ? 'text-warn' : 'text-fg-2',
        )}
      >
        {message.tookMs === null ? '–' : duration(message.tookMs)}
      </span>
    </li>
  )
}
