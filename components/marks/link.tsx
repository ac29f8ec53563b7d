import type { LinkRow } from '#lib/trpc/views.ts'
import { cn } from '../ui/cn.ts'
import { PathGlyph } from './message.tsx'

/** How two machines are linked: line, then words. Solid is direct, dashed goes through the control plane, a cross leads nowhere. */
export function LinkMark({ link }: { link: Pick<LinkRow, 'state' | 'kind'> }) {
  const { glyph, words, tone } = marks[link.state]
  const kind = link.state === 'direct' ? link.kind : null
  return (
    <span className={cn('inline-flex items-center gap-1.5 align-middle whitespace-nowrap', tone)}>
      <PathGlyph kind={glyph} />
      {words}
      {kind !== null && <span className="text-fg-3">{kind}</span>}
    </span>
  )
}

const marks = {
  direct: { glyph: 'direct', words: 'direct', tone: '' },
  relay: { glyph: 'dashed', words: 'relay', tone: 'text-fg-2' },
  probing: { glyph: 'dashed', words: 'relay', tone: 'text-fg-2' },
  suspect: { glyph: 'dashed', words: 'suspect', tone: 'text-warn' },
  down: { glyph: 'none', words: 'down', tone: 'text-off' },
} as const
