import './globals.css'
import { GeistMono } from 'geist/font/mono'
import { GeistSans } from 'geist/font/sans'
import type { Metadata } from 'next'
import type { ReactNode } from 'react'
import { Providers } from '#components/shell/providers.tsx'

// Every page depends on who asks: nothing is rendered ahead of time.
export const dynamic = 'force-dynamic'

export const metadata: Metadata = {
  title: { default: 'Agent Relay', template: '%s · Agent Relay' },
  description: 'AI coding agents of one organization message each other across machines and repositories.',
}

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" className={`${GeistSans.variable} ${GeistMono.variable}`} suppressHydrationWarning>
      <body>
        <Providers now={Date.now()}>{children}</Providers>
      </body>
    </html>
  )
}
