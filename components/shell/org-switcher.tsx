'use client'
import { useQuery } from '@tanstack/react-query'
import { ChevronsUpDown } from 'lucide-react'
import { planNames } from '#lib/access/plans.ts'
import type { OrgSummary } from '#lib/trpc/views.ts'
import { Mark } from '../marks/mark.tsx'
import { MenuButton } from '../ui/menu-button.tsx'
import { useTRPC } from './trpc.tsx'

const loadMenu = () => import('./org-menu.tsx').then((module) => module.OrgMenu)

/** Which organization this is, and the way to the others. */
export function OrgSwitcher({ current }: { current: OrgSummary }) {
  const me = useQuery(useTRPC().me.get.queryOptions())
  return (
    <MenuButton
      load={loadMenu}
      menu={{ orgs: me.data?.orgs ?? [current], current }}
      className="mb-2 flex h-8 w-full shrink-0 items-center gap-2 rounded-2 px-1.5 text-left hover:bg-surface-3"
    >
      <Mark />
      <span className="truncate font-semibold">{current.name}</span>
      <span className="text-sm text-fg-3">{current.kind === 'personal' ? 'Personal' : planNames[current.plan]}</span>
      <span className="sr-only">, switch organization</span>
      <span className="flex-1" />
      <ChevronsUpDown aria-hidden size={14} className="shrink-0 text-fg-3" />
    </MenuButton>
  )
}
