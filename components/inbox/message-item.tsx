'use client'
import { Reply } from 'lucide-react'
import type { ConversationMessage } from '#lib/trpc/views.ts'
import { Day } from '../format/day.tsx'
import { plural } from '../format/format.ts'
import { Clock } from '../format/time.tsx'
import { cn } from '../ui/cn.ts'
import { Body } from './body.tsx'
import { visibleText } from './body-text.ts'
import type { FeedRow } from './feed-rows.ts'
import { Failures, ReceiptLine } from './receipt-line.tsx'

export type ItemActions = {
  onReply: (message: ConversationMessage) => void
  onAgain: ((message: ConversationMessage) => void) | null
  /** Goes to the message that another one answers. */
  onShow: (id: string) => void
  /** Its body is about to grow or shrink. */
  onUnfold: (id: string) => void
}

type Props = {
  row: FeedRow
  /** The one that the Tab key reaches. */
  isCurrent: boolean
  /** How many unread messages begin here; 0 elsewhere. */
  unreadFrom: number
  /** What this answers, when it is loaded. */
  answered: ConversationMessage | undefined
  actions: ItemActions
}

/** One message: who and when, what, and how far it came when it is one's own. */
export function MessageItem({ row, isCurrent, unreadFrom, answered, actions }: Props) {
  const { message, startsDay, continues, index } = row
  const { onAgain } = actions
  const who = message.isMine ? 'You' : message.from
  const hasHead = !continues || unreadFrom > 0
  return (
    <article
      data-message={message.id}
      aria-posinset={index + 1}
      aria-setsize={-1}
      aria-label={`${who}: ${visibleText(message.body.slice(0, 80))}`}
      tabIndex={isCurrent ? 0 : -1}
      className={cn(
        'group/message relative scroll-mt-2 scroll-mb-2 px-4 focus-visible:-outline-offset-2',
        hasHead ? 'pt-2' : 'pt-0.5',
      )}
    >
      {startsDay && (
        <div className="mb-1.5 flex items-center gap-3 pt-1 text-xs text-fg-3">
          <span className="h-px flex-1 bg-hair" />
          <Day at={message.sentAt} />
          <span className="h-px flex-1 bg-hair" />
        </div>
      )}
      {unreadFrom > 0 && (
        <div data-unread className="mb-1.5 flex items-center gap-3 pt-1 text-xs font-medium text-accent">
          <span className="h-px flex-1 bg-accent-line" />
          {plural(unreadFrom, 'new message')}
          <span className="h-px flex-1 bg-accent-line" />
        </div>
      )}
      <div className="relative grid grid-cols-[34px_minmax(0,1fr)] rounded-2 pb-1">
        {hasHead ? (
          <Face name={message.isPerson ? message.from : who} isPerson={message.isPerson} />
        ) : (
          <Clock
            at={message.sentAt}
            isShort
            className="text-xs leading-5 text-fg-3 opacity-0 group-focus-within/message:opacity-100 group-hover/message:opacity-100"
          />
        )}
        <div className="min-w-0">
          {hasHead && (
            <div className="flex min-w-0 items-baseline gap-2">
              <span className="truncate font-semibold">{who}</span>
              {message.machine !== null && <span className="mono truncate text-fg-3">{message.machine}</span>}
              <Clock at={message.sentAt} className="mono text-fg-3" />
              {message.thread !== null && <span className="truncate text-sm text-fg-3">thread {message.thread}</span>}
            </div>
          )}
          {message.replyTo !== null && (
            <Quote answered={answered} onShow={() => actions.onShow(message.replyTo as string)} />
          )}
          <div className="flex items-start gap-3 max-sm:flex-wrap max-sm:gap-y-0">
            <div className="min-w-0 flex-1 max-sm:basis-full">
              <Body text={message.body} onUnfold={() => actions.onUnfold(message.id)} />
            </div>
            {message.receipts !== null && <ReceiptLine receipts={message.receipts} />}
          </div>
          {message.receipts !== null && (
            <Failures receipts={message.receipts} onAgain={message.isMine && onAgain ? () => onAgain(message) : null} />
          )}
        </div>
        <button
          type="button"
          tabIndex={isCurrent ? 0 : -1}
          onClick={() => actions.onReply(message)}
          title="Reply (R)"
          aria-label={`Reply to ${who}`}
          className={cn(
            'absolute -top-2 right-0 grid size-7 place-items-center rounded-2 border border-line bg-raised text-fg-2 shadow-node hover:text-fg',
            'opacity-0 group-hover/message:opacity-100 focus-visible:opacity-100 pointer-coarse:opacity-100',
          )}
        >
          <Reply aria-hidden size={14} />
        </button>
      </div>
    </article>
  )
}

/** Persons are round, agents are square: told apart before the name is read. */
function Face({ name, isPerson }: { name: string; isPerson: boolean }) {
  return (
    <span
      aria-hidden
      className={cn(
        'grid size-6 place-items-center bg-surface-4 text-xs leading-none font-semibold text-fg-2',
        isPerson ? 'rounded-full' : 'rounded-1',
      )}
    >
      {(name[0] ?? '?').toUpperCase()}
    </span>
  )
}

function Quote({ answered, onShow }: { answered: ConversationMessage | undefined; onShow: () => void }) {
  if (!answered) return <p className="truncate text-sm text-fg-3">answers an earlier message</p>
  return (
    <button
      type="button"
      onClick={onShow}
      className="mb-0.5 flex max-w-full items-center gap-1.5 border-l-2 border-line pl-2 text-left text-sm text-fg-3 hover:text-fg-2"
    >
      <span className="shrink-0 font-medium">{answered.isMine ? 'You' : answered.from}</span>
      <span className="truncate">{visibleText(answered.body.slice(0, 200).replace(/\s+/g, ' '))}</span>
    </button>
  )
}
