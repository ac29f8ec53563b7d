'use client'
import { useQuery } from '@tanstack/react-query'
import { Check, ChevronsUpDown, Plus } from 'lucide-react'
import Link from 'next/link'
import { planNames } from '#lib/access/plans.ts'
import { paths } from '#lib/paths.ts'
import type { OrgSummary } from '#lib/trpc/views.ts'
import { Mark } from '../marks/mark.tsx'
import { Avatar } from '../ui/badge.tsx'
import { Menu, MenuHead, MenuLine, MenuLink } from '../ui/menu.tsx'
import { useTRPC } from './trpc.tsx'

/** Which organization this is, and the way to the others. */
export function OrgSwitcher({ current }: { current: OrgSummary }) {
  const me = useQuery(useTRPC().me.get.queryOptions())
  const orgs = me.data?.orgs ?? [current]
  return (
    <Menu
      className="min-w-56"
      trigger={
        <button
          type="button"
          className="mb-2 flex h-8 w-full shrink-0 items-center gap-2 rounded-2 px-1.5 text-left hover:bg-surface-3"
        >
          <Mark />
          <span className="truncate font-semibold">{current.name}</span>
          <span className="text-sm text-fg-3">
            {current.kind === 'personal' ? 'Personal' : planNames[current.plan]}
          </span>
          <span className="sr-only">, switch organization</span>
          <span className="flex-1" />
          <ChevronsUpDown aria-hidden size={14} className="shrink-0 text-fg-3" />
        </button>
      }
    >
      <MenuHead>Organizations</MenuHead>
      {orgs.map((org) => (
        <MenuLink key={org.id} render={<Link href={paths.org(org.slug)} />}>
          <Avatar name={org.name} size={16} />
          <span className="max-w-48 flex-1 truncate">{org.name}</span>
          {org.kind === 'personal' && <span className="text-sm text-fg-3">personal</span>}
          {org.id === current.id && <Check aria-label="current" size={14} />}
        </MenuLink>
      ))}
      <MenuLine />
      <MenuLink render={<Link href={paths.newOrg()} />}>
        <Plus aria-hidden size={14} />
        Create an organization
      </MenuLink>
    </Menu>
  )
}
