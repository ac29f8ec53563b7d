'use client'
import { ThemeProvider } from 'next-themes'
import type { ReactNode } from 'react'
import { ClockProvider } from '../format/time.tsx'
import { Notices } from '../ui/notices.tsx'
import { QueryProvider } from './trpc.tsx'

/** What every page stands on: theme, clock, queries, notices. `now` is the server's clock at rendering, ms. */
export function Providers({ now, children }: { now: number; children: ReactNode }) {
  return (
    <ThemeProvider attribute="class" disableTransitionOnChange>
      <ClockProvider now={now}>
        <QueryProvider>{children}</QueryProvider>
        <Notices />
      </ClockProvider>
    </ThemeProvider>
  )
}
