import type { ReactNode } from 'react'
import { LivePill } from '../live/live-pill.tsx'

/** Title, live pill, one quiet fact; actions at the right. */
export function PageBar({
  title,
  fact,
  isLive = true,
  children,
}: {
  title: string
  fact?: ReactNode
  isLive?: boolean
  children?: ReactNode
}) {
  return (
    <header className="flex h-11 shrink-0 items-center gap-2 border-b border-hair pr-3 pl-4">
      <h1 className="text-lg font-semibold tracking-[-0.01em]">{title}</h1>
      {isLive && <LivePill />}
      {fact !== undefined && <span className="hidden min-w-0 truncate pl-1 text-sm text-fg-3 sm:block">{fact}</span>}
      <span className="flex-1" />
      {children}
    </header>
  )
}
