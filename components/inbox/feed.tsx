'use client'
import { ArrowDown } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { ConversationMessage } from '#lib/trpc/views.ts'
import { dayKey } from '../format/days.ts'
import { plural } from '../format/format.ts'
import { useIsHydrated } from '../format/time.tsx'
import { FeedGroup } from './feed-group.tsx'
import { feedGroups, feedRows } from './feed-rows.ts'
import { type ItemActions, MessageItem } from './message-item.tsx'
import { useSteadyScroll } from './use-steady-scroll.ts'

/** Older messages are asked for when the beginning of what is loaded is this near, px. */
const AHEAD = 900

type Props = {
  label: string
  messages: ConversationMessage[]
  /** How many of them were unread when the conversation was opened. */
  unread: number
  hasOlder: boolean
  older: 'idle' | 'loading' | 'failed'
  /** What stands above the very first message. */
  beginning: ReactNode
  onOlder: () => void
  onReply: (message: ConversationMessage) => void
  /** Null while nothing can be sent. */
  onAgain: ((message: ConversationMessage) => void) | null
  /** Whether the newest message is in sight. */
  onEnd: (isAtEnd: boolean) => void
}

/** The messages of one conversation, oldest first. It opens at its end, follows it, and stands still wherever one reads. */
export function Feed(props: Props) {
  const { label, messages, unread, hasOlder, older, beginning, onOlder, onReply, onAgain, onEnd } = props
  const box = useRef<HTMLElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const top = useRef<HTMLDivElement>(null)
  const { isAtEnd, hold, toEnd, toTop } = useSteadyScroll(box, content)
  const zone = useIsHydrated() ? 'local' : 'utc'
  const [anchor] = useState(messages[0]?.id)
  // What was unread stays marked, also once it is read.
  const [firstNew] = useState(() => ({ id: firstUnread(messages, unread), count: unread }))
  const [chosen, setChosen] = useState<string | null>(null)
  const newest = messages.at(-1)
  const groups = useMemo(
    () =>
      feedGroups(
        feedRows(messages, (at) => dayKey(at, zone)),
        anchor,
      ),
    [messages, zone, anchor],
  )
  const byId = useMemo(() => new Map(messages.map((message) => [message.id, message])), [messages])
  const [last] = useState(newest?.id)
  const newer = useNewer(messages, isAtEnd)
  const [isPlaced, setPlaced] = useState(false)

  // What is unread begins in sight, when it is more than the window holds.
  useLayoutEffect(() => {
    const line = box.current?.querySelector('[data-unread]')
    if (line && box.current && line.getBoundingClientRect().top < box.current.getBoundingClientRect().top) toTop(line)
    setPlaced(true)
  }, [toTop])
  // Before the list has its place, where it stands says nothing of what anybody has in sight.
  useEffect(() => {
    if (isPlaced) onEnd(isAtEnd)
  }, [onEnd, isAtEnd, isPlaced])
  // One's own message is what one wants to see.
  const mine = newest?.isMine ? newest.id : null
  const shown = useRef(mine)
  useLayoutEffect(() => {
    if (mine !== null && mine !== shown.current) toEnd()
    shown.current = mine
  }, [mine, toEnd])
  // biome-ignore lint/correctness/useExhaustiveDependencies: a page that arrived may leave the beginning in sight
  useEffect(() => {
    const element = top.current
    if (!element || !hasOlder || older === 'failed') return
    const sight = new IntersectionObserver(([entry]) => entry?.isIntersecting && onOlder(), {
      root: box.current,
      rootMargin: `${AHEAD}px 0px 0px`,
    })
    sight.observe(element)
    return () => sight.disconnect()
  }, [hasOlder, older, onOlder, messages.length])

  const find = (id: string) => box.current?.querySelector<HTMLElement>(`[data-message="${CSS.escape(id)}"]`)
  const actions: ItemActions = {
    onReply,
    onAgain,
    onShow: (id) => {
      const element = find(id)
      setChosen(id)
      element?.focus({ preventScroll: true })
      element?.scrollIntoView({ block: 'center' })
    },
    onUnfold: (id) => {
      const element = find(id)
      if (element) hold(element)
    },
  }
  const current = chosen !== null && byId.has(chosen) ? chosen : newest?.id

  function onKeyDown(event: KeyboardEvent) {
    const by = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0
    const article = (event.target as HTMLElement).closest<HTMLElement>('[data-message]')
    if (by === 0 || !article || event.metaKey || event.ctrlKey || event.altKey) return
    event.preventDefault()
    event.stopPropagation()
    const at = messages.findIndex(({ id }) => id === article.dataset.message)
    const next = messages[at + by]
    if (!next) return
    setChosen(next.id)
    const element = find(next.id)
    element?.focus({ preventScroll: true })
    element?.scrollIntoView({ block: 'nearest' })
  }

  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <section
        ref={box}
        aria-label={label}
        className="flex min-h-0 flex-1 flex-col-reverse overflow-y-auto overscroll-contain [overflow-anchor:none]"
      >
        <div ref={content} className="pb-3">
          <div ref={top} />
          {hasOlder ? (
            <p className="px-4 py-3 text-center text-sm text-fg-3">
              {older === 'failed' ? (
                <>
                  Older messages did not load.{' '}
                  <button type="button" onClick={onOlder} className="font-medium text-accent hover:underline">
                    Try again
                  </button>
                </>
              ) : (
                'Loading older messages'
              )}
            </p>
          ) : (
            beginning
          )}
          <div role="feed" aria-label={label} aria-busy={older === 'loading'} onKeyDown={onKeyDown}>
            {groups.map(({ key, rows }) => (
              <FeedGroup key={key} box={box}>
                {() =>
                  rows.map((row) => (
                    <MessageItem
                      key={row.message.id}
                      row={row}
                      isCurrent={row.message.id === current}
                      unreadFrom={row.message.id === firstNew.id ? firstNew.count : 0}
                      answered={row.message.replyTo === null ? undefined : byId.get(row.message.replyTo)}
                      actions={actions}
                    />
                  ))
                }
              </FeedGroup>
            ))}
          </div>
        </div>
      </section>
      <p role="status" className="sr-only">
        {newest && newest.id !== last && !newest.isMine && `New message from ${newest.from}`}
      </p>
      {!isAtEnd && (
        <button
          type="button"
          onClick={toEnd}
          className="absolute inset-x-0 bottom-0 flex h-7 items-center justify-center gap-1.5 border-t border-hair bg-accent-soft text-sm font-medium text-accent"
        >
          <ArrowDown aria-hidden size={12} />
          {newer > 0 ? plural(newer, 'new message') : 'Newest message'}
        </button>
      )}
    </div>
  )
}

/** The message at which `unread` received ones begin. */
function firstUnread(messages: ConversationMessage[], unread: number): string | null {
  const received = messages.filter(({ isMine }) => !isMine)
  return unread === 0 ? null : (received[Math.max(0, received.length - unread)]?.id ?? null)
}

/** How many messages came while one read further up. */
function useNewer(messages: ConversationMessage[], isAtEnd: boolean): number {
  const last = messages.at(-1)?.id
  const [seen, setSeen] = useState(last)
  if (isAtEnd && seen !== last) setSeen(last)
  const at = messages.findIndex(({ id }) => id === seen)
  return at < 0 ? 0 : messages.slice(at + 1).filter(({ isMine }) => !isMine).length
}
