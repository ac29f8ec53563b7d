'use client'
import { Search } from 'lucide-react'
import Link from 'next/link'
import { usePathname } from 'next/navigation'
import type { OrgView } from '#lib/trpc/views.ts'
import { count, plural } from '../format/format.ts'
import { useIsHydrated } from '../format/time.tsx'
import { Shape } from '../marks/status.tsx'
import { Kbd } from '../ui/badge.tsx'
import { cn } from '../ui/cn.ts'
import { type Destination, destinations } from './navigation.ts'
import { OrgSwitcher } from './org-switcher.tsx'
import { UserMenu } from './user-menu.tsx'

type Props = { org: OrgView; onFind: () => void; onShortcuts: () => void; isTouch?: boolean }

/** The organization, where one can go, and who is here. The drawer of small screens shows the same with larger rows. */
export function Sidebar({ org, onFind, onShortcuts, isTouch = false }: Props) {
  return (
    <div className="flex min-h-0 flex-1 flex-col overflow-y-auto pt-3 pr-2 pb-3 pl-3">
      <OrgSwitcher current={org} />
      {!isTouch && <FindButton onFind={onFind} />}
      <Nav label="Main" org={org} items={destinations.filter((item) => !item.isOrganization)} isTouch={isTouch} />
      <div className="mt-4 h-6 px-2 text-sm leading-6 text-fg-3">Organization</div>
      <Nav
        label="Organization"
        org={org}
        items={destinations.filter((item) => item.isOrganization)}
        isTouch={isTouch}
      />
      <div className="mt-auto flex items-center gap-2 pt-4 pl-1">
        <UserMenu />
        <button
          type="button"
          onClick={onShortcuts}
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts"
          className="grid size-7 place-items-center rounded-2 hover:bg-surface-3"
        >
          <Kbd>?</Kbd>
        </button>
      </div>
    </div>
  )
}

function FindButton({ onFind }: { onFind: () => void }) {
  const isHydrated = useIsHydrated()
  const isMac = isHydrated && /Mac|iP(hone|ad)/.test(navigator.platform)
  return (
    <button
      type="button"
      onClick={onFind}
      className="mb-3 flex h-7 shrink-0 items-center gap-2 rounded-2 border border-line bg-surface-1 pr-1.5 pl-2 text-fg-3 hover:border-strong"
    >
      <Search aria-hidden size={14} />
      <span className="flex-1 text-left">Go to…</span>
      <Kbd>{isMac ? '⌘K' : 'Ctrl K'}</Kbd>
    </button>
  )
}

function Nav({ label, org, items, isTouch }: { label: string; org: OrgView; items: Destination[]; isTouch: boolean }) {
  const pathname = usePathname()
  return (
    <nav aria-label={label} className="grid gap-px">
      {items.map((item) => {
        const href = item.href(org.slug)
        const value = item.count?.(org.counts)
        const failed = item.label === 'Messages' ? org.counts.failed24h : 0
        const unread = item.label === 'Inbox' ? org.counts.unread : 0
        return (
          <Link
            key={item.label}
            href={href}
            aria-current={pathname === href ? 'page' : undefined}
            className={cn(
              'flex items-center gap-2 rounded-2 px-2 text-fg-2 hover:bg-surface-3 [&_.lucide]:text-fg-3',
              'aria-[current=page]:bg-surface-4 aria-[current=page]:font-medium aria-[current=page]:text-fg aria-[current=page]:[&_.lucide]:text-fg',
              isTouch ? 'h-11' : 'h-7',
            )}
          >
            <item.icon aria-hidden size={16} />
            <span className="flex-1">{item.label}</span>
            {value !== undefined && value > 0 && <span className="text-sm font-normal text-fg-3">{count(value)}</span>}
            {unread > 0 && (
              <span className="flex items-center gap-1.5 text-sm font-medium text-fg">
                <span aria-hidden className="size-1.5 rounded-full bg-accent-solid" />
                {count(unread)}
                <span className="sr-only"> unread</span>
              </span>
            )}
            {failed > 0 && (
              <span
                className="flex items-center gap-1 text-sm font-normal text-fail"
                title={`${plural(failed, 'failure')} in 24 hours`}
              >
                <Shape kind="cross" />
                {count(failed)}
                <span className="sr-only"> failed in 24 hours</span>
              </span>
            )}
          </Link>
        )
      })}
    </nav>
  )
}
