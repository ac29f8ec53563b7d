import type { ComponentProps, ReactNode } from 'react'
import { cn } from './cn.ts'

/** A line around one subject. No shadow, no nested card. */
export function Card({ className, ...props }: ComponentProps<'section'>) {
  return <section className={cn('overflow-hidden rounded-3 border border-line bg-surface-1', className)} {...props} />
}

/** Title, one quiet fact, actions at the right. */
export function CardHead({
  title,
  fact,
  children,
  className,
}: {
  title: string
  fact?: ReactNode
  children?: ReactNode
  className?: string
}) {
  return (
    <div className={cn('flex h-9 shrink-0 items-center gap-2 border-b border-hair pr-3 pl-3', className)}>
      <h2 className="font-semibold">{title}</h2>
      {fact !== undefined && <span className="min-w-0 truncate text-sm text-fg-3">{fact}</span>}
      <span className="flex-1" />
      {children}
    </div>
  )
}
