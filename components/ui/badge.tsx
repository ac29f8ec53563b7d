import type { ReactNode } from 'react'
import { cn } from './cn.ts'

const tones = {
  quiet: 'bg-surface-3 text-fg-2',
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  fail: 'bg-fail-soft text-fail',
  accent: 'bg-accent-soft text-accent',
}

/** For versions and states of things, never for decoration. */
export function Badge({ tone = 'quiet', children }: { tone?: keyof typeof tones; children: ReactNode }) {
  return (
    <span
      className={cn(
        'inline-flex h-5 items-center gap-1 rounded-1 px-1.5 align-middle text-sm leading-5 font-medium whitespace-nowrap',
        tones[tone],
      )}
    >
      {children}
    </span>
  )
}

/** A key cap. */
export function Kbd({ children, title, className }: { children: ReactNode; title?: string; className?: string }) {
  return (
    <kbd
      title={title}
      className={cn(
        'inline-grid h-[18px] min-w-[18px] place-items-center rounded-1 bg-surface-3 px-1 font-sans text-xs leading-none text-fg-2',
        className,
      )}
    >
      {children}
    </kbd>
  )
}
