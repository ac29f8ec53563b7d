import type { ReactNode } from 'react'
import { cn } from '../ui/cn.ts'

/** A page with one thing on it: sign-in, linking, creating, not found. */
export function PlainPage({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <main className={cn('grid min-h-dvh content-center justify-items-center px-5 py-12', className)}>{children}</main>
  )
}
