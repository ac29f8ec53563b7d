'use client'
import { ArrowUp, Hash } from 'lucide-react'
import { type MouseEvent, useEffect, useRef } from 'react'
import { paths } from '#lib/paths.ts'
import type { ConversationRow } from '#lib/trpc/views.ts'
import { When } from '../format/day.tsx'
import { count, plural } from '../format/format.ts'
import { AgentShape } from '../marks/status.tsx'
import { useWindow } from '../messages/use-window.ts'
import { cn } from '../ui/cn.ts'
import { addressOf } from './address.ts'
import { visibleText } from './body-text.ts'
import type { HeldOrder } from './use-held-order.ts'

const HEIGHT = 52
/** More than this are not counted by the control plane. */
const COUNTED_TO = 1000

type Props = {
  org: string
  /** The handle of whoever reads. */
  me: string | undefined
  held: HeldOrder
  selected: string | null
  onSelect: (key: string) => void
}

/** Conversations, the newest first, as rows of 52 px; only those in sight are in the page. */
export function ConversationList({ org, me, held, selected, onSelect }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const { ordered, newer, hold, release } = held
  const { first, end, reveal } = useWindow(box, { count: ordered.length, height: HEIGHT })
  const isScrolled = useRef(false)
  // Only a new choice scrolls; rows that come and go must not.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    const index = selected === null ? -1 : ordered.findIndex(({ key }) => key === selected)
    if (index >= 0) reveal(index)
  }, [selected])
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div
        ref={box}
        className="min-h-0 flex-1 overflow-y-auto"
        onPointerEnter={(event) => event.pointerType === 'mouse' && hold()}
        onPointerLeave={() => !isScrolled.current && release()}
        onScroll={(event) => {
          isScrolled.current = event.currentTarget.scrollTop > 0
          if (isScrolled.current) hold()
          else if (!event.currentTarget.matches(':hover')) release()
        }}
      >
        <ol aria-label="Conversations, newest first" className="relative" style={{ height: ordered.length * HEIGHT }}>
          {ordered.slice(first, end).map((row, offset) => (
            <Row
              key={row.key}
              row={row}
              me={me}
              index={first + offset}
              total={ordered.length}
              href={paths.inbox(org, row.key)}
              isSelected={row.key === selected}
              onSelect={onSelect}
            />
          ))}
        </ol>
      </div>
      {newer > 0 && isScrolled.current && (
        <button
          type="button"
          onClick={() => {
            release()
            if (box.current) box.current.scrollTop = 0
          }}
          className="absolute inset-x-0 top-0 flex h-7 items-center justify-center gap-1.5 border-b border-hair bg-accent-soft text-sm font-medium text-accent"
        >
          <ArrowUp aria-hidden size={12} />
          {plural(newer, 'conversation')} with something new
        </button>
      )}
    </div>
  )
}

function Row({
  row,
  me,
  index,
  total,
  href,
  isSelected,
  onSelect,
}: {
  row: ConversationRow
  me: string | undefined
  index: number
  total: number
  href: string
  isSelected: boolean
  onSelect: (key: string) => void
}) {
  const isUnread = row.unread > 0
  function open(event: MouseEvent) {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return // a new tab, as links do
    event.preventDefault()
    onSelect(row.key)
  }
  return (
    <li
      aria-posinset={index + 1}
      aria-setsize={total}
      style={{ height: HEIGHT, transform: `translateY(${index * HEIGHT}px)` }}
      className={cn(
        'absolute inset-x-0 top-0 grid grid-cols-[16px_minmax(0,1fr)_auto] content-center items-center gap-x-2 border-b border-hair px-4',
        isSelected ? 'bg-accent-soft shadow-[inset_2px_0_0_var(--accent-solid)]' : 'hover:bg-surface-3',
      )}
    >
      {row.kind === 'channel' ? (
        <Hash aria-hidden size={14} className="justify-self-center text-fg-3" />
      ) : (
        <AgentShape status={row.status ?? 'offline'} />
      )}
      <a
        href={href}
        onClick={open}
        aria-current={isSelected ? 'true' : undefined}
        className={cn('truncate leading-5 after:absolute after:inset-0', isUnread ? 'font-semibold' : 'font-medium')}
      >
        <span className="sr-only">{row.kind === 'channel' && 'Channel '}</span>
        {row.kind === 'channel' ? row.name : addressOf(row)}
        {isUnread && <span className="sr-only">, {plural(row.unread, 'unread message')}</span>}
      </a>
      <When at={row.lastAt} className={cn('text-sm', isUnread ? 'text-accent' : 'text-fg-3')} />
      <span className={cn('col-start-2 truncate text-sm', isUnread ? 'text-fg-2' : 'text-fg-3')}>
        {row.preview === '' ? 'nothing said yet' : `${speaker(row, me)}${visibleText(row.preview)}`}
      </span>
      {isUnread && (
        <span
          aria-hidden
          className="grid h-[18px] min-w-[18px] place-items-center justify-self-end rounded-full bg-accent-solid px-1 text-xs leading-none font-semibold text-surface-1"
        >
          {row.unread >= COUNTED_TO ? `${count(COUNTED_TO - 1)}+` : count(row.unread)}
        </span>
      )}
    </li>
  )
}

/** Who said the newest, when it is not clear from the row. */
function speaker({ kind, lastFrom }: ConversationRow, me: string | undefined): string {
  if (me !== undefined && lastFrom === `@${me}`) return 'You: '
  return kind === 'channel' ? `${lastFrom.replace(/^@/, '')}: ` : ''
}
