'use client'
import { ThemeProvider } from 'next-themes'
import { NuqsAdapter } from 'nuqs/adapters/next/app'
import type { ReactNode } from 'react'
import { Toaster } from 'sonner'
import { ClockProvider } from '../format/time.tsx'
import { QueryProvider } from './trpc.tsx'

/** What every page stands on: theme, clock, URL state, toasts. `now` is the server's clock at rendering, ms. */
export function Providers({ now, children }: { now: number; children: ReactNode }) {
  return (
    <ThemeProvider attribute="class" disableTransitionOnChange>
      <ClockProvider now={now}>
        <NuqsAdapter>
          <QueryProvider>{children}</QueryProvider>
          <Toaster
            position="bottom-right"
            toastOptions={{
              unstyled: true,
              classNames: {
                toast:
                  'flex w-full items-center gap-2 rounded-3 bg-raised px-3 py-2.5 font-sans text-md text-fg shadow-overlay [&_svg]:size-4',
                error: '[&_[data-icon]]:text-fail',
                success: '[&_[data-icon]]:text-ok',
              },
            }}
          />
        </NuqsAdapter>
      </ClockProvider>
    </ThemeProvider>
  )
}
