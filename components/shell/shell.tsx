'use client'
import { useQuery } from '@tanstack/react-query'
import { Menu as MenuIcon, Search } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react'
import { lastOrgCookie, paths } from '#lib/paths.ts'
import { LiveProvider } from '../live/live.tsx'
import { Mark } from '../marks/mark.tsx'
import { Button } from '../ui/button.tsx'
import { destinations } from './navigation.ts'
import { Sidebar } from './sidebar.tsx'
import { useTRPC } from './trpc.tsx'
import { useKeys } from './use-keys.ts'

// What opens on demand is loaded on demand.
const Palette = lazy(() => import('./palette.tsx').then((module) => ({ default: module.Palette })))
const Shortcuts = lazy(() => import('./shortcuts.tsx').then((module) => ({ default: module.Shortcuts })))
const Drawer = lazy(() => import('./drawer.tsx').then((module) => ({ default: module.Drawer })))

type Overlay = 'palette' | 'shortcuts' | 'drawer'

/** Sidebar on the canvas, one panel on top. */
export function Shell({ org: slug, children }: { org: string; children: ReactNode }) {
  const org = useQuery(useTRPC().orgs.get.queryOptions({ org: slug }))
  const router = useRouter()
  const [open, setOpen] = useState<Overlay | null>(null)
  // An overlay stays mounted once it was open, so that it can close with its motion.
  const [mounted, setMounted] = useState<ReadonlySet<Overlay>>(new Set())
  const show = (overlay: Overlay) => {
    setMounted((before) => new Set(before).add(overlay))
    setOpen(overlay)
  }
  const control = (overlay: Overlay) => ({
    open: open === overlay,
    onOpenChange: (isOpen: boolean) => setOpen(isOpen ? overlay : null),
  })
  useKeys({
    'mod+k': () => show('palette'),
    '?': () => show('shortcuts'),
    ...Object.fromEntries(
      destinations.map((item) => [`g ${item.key.toLowerCase()}`, () => router.push(item.href(slug))]),
    ),
  })
  useEffect(() => {
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not in every browser yet
    document.cookie = `${lastOrgCookie}=${slug}; path=${paths.home()}; max-age=31536000; samesite=lax`
  }, [slug])
  if (!org.data) return null // the layout has put it in the cache; only an expired session gets here
  const sidebar = { org: org.data, onFind: () => show('palette'), onShortcuts: () => show('shortcuts') }
  return (
    <LiveProvider org={org.data.id}>
      <div className="grid h-dvh grid-cols-[minmax(0,1fr)] grid-rows-[52px_minmax(0,1fr)] md:grid-cols-[220px_minmax(0,1fr)] md:grid-rows-[minmax(0,1fr)]">
        <a
          href="#content"
          className="absolute top-2 left-2 z-50 -translate-y-20 rounded-2 bg-raised px-3 py-1.5 focus:translate-y-0 focus:shadow-overlay"
        >
          Skip to the content
        </a>
        <header className="flex items-center gap-2 pr-2 pl-3.5 md:hidden">
          <Mark />
          <span className="min-w-0 flex-1 truncate font-semibold">{org.data.name}</span>
          <Button variant="ghost" size="touch" aria-label="Search" onClick={() => show('palette')}>
            <Search aria-hidden size={16} />
          </Button>
          <Button variant="ghost" size="touch" aria-label="Menu" onClick={() => show('drawer')}>
            <MenuIcon aria-hidden size={16} />
          </Button>
        </header>
        <aside className="hidden min-h-0 md:flex">
          <Sidebar {...sidebar} />
        </aside>
        <main
          id="content"
          tabIndex={-1}
          className="relative flex min-h-0 min-w-0 flex-col overflow-hidden rounded-t-4 border-t border-line bg-surface-1 focus-visible:outline-none md:my-2 md:mr-2 md:rounded-4 md:border"
        >
          {children}
        </main>
      </div>
      <Suspense>{mounted.has('palette') && <Palette org={org.data} {...control('palette')} />}</Suspense>
      <Suspense>{mounted.has('shortcuts') && <Shortcuts {...control('shortcuts')} />}</Suspense>
      <Suspense>{mounted.has('drawer') && <Drawer {...sidebar} {...control('drawer')} />}</Suspense>
    </LiveProvider>
  )
}
