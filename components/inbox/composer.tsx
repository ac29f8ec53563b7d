'use client'
import { MAX_BODY_BYTES } from '@agent-relay/protocol/limits'
import { CornerUpLeft, X } from 'lucide-react'
import { type KeyboardEvent, type RefObject, useMemo } from 'react'
import type { ConversationMessage } from '#lib/trpc/views.ts'
import { bytes } from '../format/format.ts'
import { useIsHydrated } from '../format/time.tsx'
import { Kbd } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { visibleText } from './body-text.ts'

type Props = {
  field: RefObject<HTMLTextAreaElement | null>
  to: string
  text: string
  onText: (text: string) => void
  replyTo: ConversationMessage | null
  onNoReply: () => void
  /** Why nothing can be sent at all, or null. */
  closed: string | null
  /** What to know before sending: that the recipient is away. */
  note: string | null
  isSending: boolean
  error: string | null
  onSend: () => void
  onLeave: () => void
}

/** From here on the size is shown, bytes. */
const SHOW_SIZE_FROM = MAX_BODY_BYTES * 0.75

/** Where a person writes. Enter makes a line; ⌘ or Ctrl with Enter sends. The text stays until the control plane has it. */
export function Composer(props: Props) {
  const { field, to, text, onText, replyTo, onNoReply, closed, note, isSending, error, onSend, onLeave } = props
  const size = useMemo(() => new TextEncoder().encode(text).length, [text])
  const isHydrated = useIsHydrated()
  const send = isHydrated && /Mac|iP(hone|ad)/.test(navigator.platform) ? '⌘↵' : 'Ctrl ↵'
  const isTooLarge = size > MAX_BODY_BYTES
  const reason =
    closed ??
    (isTooLarge
      ? `${bytes(size - MAX_BODY_BYTES)} too much: a message has at most ${bytes(MAX_BODY_BYTES)}. Shorten it, or say where it can be read.`
      : null)
  const cannot = reason !== null || text.trim() === '' || isSending

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'Enter' && (event.metaKey || event.ctrlKey) && !event.nativeEvent.isComposing) {
      event.preventDefault()
      if (!cannot) onSend()
    } else if (event.key === 'Escape') {
      event.preventDefault()
      event.stopPropagation()
      if (replyTo) onNoReply()
      else onLeave()
    }
  }

  return (
    <form
      aria-label={`Write to ${to}`}
      className="shrink-0 border-t border-hair px-3 pt-2.5 pb-3 sm:px-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (!cannot) onSend()
      }}
    >
      <div className="rounded-2 border border-strong bg-surface-1 focus-within:border-transparent focus-within:outline-2 focus-within:-outline-offset-1 focus-within:outline-focus">
        {replyTo && (
          <div className="flex items-center gap-2 border-b border-hair py-1 pr-1 pl-2.5 text-sm text-fg-3">
            <CornerUpLeft aria-hidden size={12} className="shrink-0" />
            <span className="shrink-0">
              Replying to <span className="font-medium text-fg-2">{replyTo.isMine ? 'yourself' : replyTo.from}</span>
            </span>
            <span className="min-w-0 flex-1 truncate">
              {visibleText(replyTo.body.slice(0, 200).replace(/\s+/g, ' '))}
            </span>
            <Button variant="ghost" size="iconSmall" aria-label="Do not reply" title="Do not reply" onClick={onNoReply}>
              <X aria-hidden size={14} />
            </Button>
          </div>
        )}
        <textarea
          ref={field}
          value={text}
          rows={2}
          onChange={(event) => onText(event.target.value)}
          onKeyDown={onKeyDown}
          aria-label={`Message to ${to}`}
          aria-describedby="composer-note"
          aria-invalid={isTooLarge}
          placeholder={`Message to ${to}`}
          // No kerning: the browser measures what is pasted before we know how long it is; see isSlowToKern.
          className="block field-sizing-content max-h-[min(40dvh,320px)] min-h-14 w-full resize-none bg-transparent px-2.5 py-2 outline-none [font-kerning:none] placeholder:text-fg-3"
        />
      </div>
      <div className="mt-2 flex items-center gap-3">
        <p id="composer-note" className="min-w-0 flex-1 text-sm text-fg-3">
          {reason !== null ? (
            <span className={isTooLarge ? 'text-fail' : ''}>{reason}</span>
          ) : (
            (note ?? 'Enter makes a line.')
          )}
          {!isTooLarge && size > SHOW_SIZE_FROM && (
            <span className="text-warn">
              {' '}
              {bytes(size)} of {bytes(MAX_BODY_BYTES)}.
            </span>
          )}
        </p>
        <Button
          type="submit"
          variant="primary"
          aria-disabled={cannot}
          title={text.trim() === '' && reason === null ? 'Write something first' : undefined}
        >
          {isSending ? 'Sending' : error === null ? 'Send' : 'Send again'}
          <Kbd className={cannot ? '' : 'bg-on-ink/15 text-on-ink'}>{send}</Kbd>
        </Button>
      </div>
      {error !== null && (
        <p role="alert" className="mt-1.5 text-sm text-fail">
          {error}
        </p>
      )}
    </form>
  )
}
