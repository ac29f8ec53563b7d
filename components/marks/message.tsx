import type { MessageRow } from '#lib/trpc/views.ts'
import { cn } from '../ui/cn.ts'
import { readReceipt } from './receipt.ts'

const tones = {
  fail: { text: 'text-fail', fill: 'var(--fail-fill)' },
  warn: { text: 'text-warn', fill: 'var(--warn-fill)' },
  plain: { text: 'text-fg-2', fill: 'var(--text-2)' },
  ok: { text: 'text-ok', fill: 'var(--ok-fill)' },
}

/** Four marks and a word: stored, accepted, injected, seen. The cross stands where it stopped. */
export function ReceiptMark({ message }: { message: Pick<MessageRow, 'state' | 'reason' | 'path' | 'tookMs'> }) {
  const receipt = readReceipt(message)
  const tone = tones[receipt.tone]
  return (
    <span
      title={receipt.title}
      className={cn('inline-flex items-center gap-1.5 align-middle whitespace-nowrap', tone.text)}
    >
      <svg width="26" height="8" viewBox="0 0 26 8" aria-hidden className="shrink-0">
        {[0, 1, 2, 3].map((mark) =>
          mark === receipt.crossAt ? (
            <path
              key={mark}
              d={`M${mark * 7 + 0.5} 1.2l4 5.6M${mark * 7 + 4.5} 1.2l-4 5.6`}
              stroke="var(--fail-fill)"
              strokeWidth="1.5"
              strokeLinecap="round"
            />
          ) : (
            <rect
              key={mark}
              x={mark * 7}
              y="1"
              width="5"
              height="6"
              rx="1.5"
              fill={mark < receipt.filled ? tone.fill : 'var(--surface-4)'}
            />
          ),
        )}
      </svg>
      {receipt.word}
    </span>
  )
}

const ends = (
  <>
    <circle cx="3" cy="4" r="2" fill="currentColor" />
    <circle cx="21" cy="4" r="2" fill="currentColor" />
  </>
)
const glyphs = {
  local: <circle cx="12" cy="4" r="2" fill="currentColor" />,
  direct: (
    <>
      <path d="M4 4h16" stroke="currentColor" strokeWidth="1.5" />
      {ends}
    </>
  ),
  dashed: (
    <>
      <path d="M6 4h13" stroke="currentColor" strokeWidth="1.5" strokeDasharray="3 2" />
      {ends}
    </>
  ),
  none: (
    <>
      <circle cx="3" cy="4" r="1.5" fill="none" stroke="currentColor" />
      <circle cx="21" cy="4" r="1.5" fill="none" stroke="currentColor" />
      <path d="m10 2 4 4m0-4-4 4" stroke="currentColor" strokeWidth="1.25" strokeLinecap="round" />
    </>
  ),
}

/** The glyph alone: two ends and a line, a dashed line, a cross, or one dot. */
export function PathGlyph({ kind }: { kind: keyof typeof glyphs }) {
  return (
    <svg width="24" height="8" viewBox="0 0 24 8" aria-hidden className="shrink-0">
      {glyphs[kind]}
    </svg>
  )
}

/** The glyph, then the word. */
export function PathMark({ message }: { message: Pick<MessageRow, 'path' | 'state'> }) {
  const [glyph, word, title] =
    message.path === 'local'
      ? (['local', 'local', 'Both agents are on the same machine'] as const)
      : message.path === 'direct'
        ? (['direct', 'direct', 'From machine to machine'] as const)
        : message.path === 'relay'
          ? (['dashed', 'relay', 'Through the control plane, not stored'] as const)
          : message.path === 'mailbox'
            ? (['dashed', 'mailbox', 'Through the control plane, stored there until the machine was back'] as const)
            : message.state === 'failed'
              ? (['none', 'none', 'It never left the sender’s machine'] as const)
              : (['none', 'waits', 'No path to the recipient yet'] as const)
  return (
    <span
      title={title}
      className={cn(
        'inline-flex items-center gap-1.5 align-middle whitespace-nowrap',
        glyph === 'none' ? 'text-off' : 'text-fg-2',
      )}
    >
      <PathGlyph kind={glyph} />
      {word}
    </span>
  )
}

/** `Lead → API`; what was written as the address (`*`, `#token-api`) stands in between when it differs from the name. */
export function FromTo({
  message,
  className,
}: {
  message: Pick<MessageRow, 'from' | 'to' | 'via'>
  className?: string
}) {
  const via = message.via !== null && message.via.toLowerCase() !== message.to.toLowerCase() ? message.via : null
  return (
    <span className={cn('min-w-0 truncate', className)}>
      <Party name={message.from} />
      <span className="px-1 text-fg-3">→</span>
      <Party name={message.to} />
      {via !== null && <span className="mono pl-1.5 text-fg-3">{via}</span>}
    </span>
  )
}

/** An agent by its name; a person and a channel by their address, as one would write it. */
const Party = ({ name }: { name: string }) => (
  <span className={/^[@#]/.test(name) ? 'mono font-medium' : 'font-medium'}>{name}</span>
)
