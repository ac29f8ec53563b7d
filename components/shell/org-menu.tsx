'use client'
import { Check, Plus } from 'lucide-react'
import Link from 'next/link'
import { paths } from '#lib/paths.ts'
import type { OrgSummary } from '#lib/trpc/views.ts'
import { Avatar } from '../ui/avatar.tsx'
import { Menu, MenuGroup, MenuLine, MenuLink } from '../ui/menu.tsx'
import type { MenuProps } from '../ui/menu-button.tsx'

export function OrgMenu({ orgs, current, ...menu }: MenuProps & { orgs: OrgSummary[]; current: OrgSummary }) {
  return (
    <Menu {...menu}>
      <MenuGroup label="Organizations">
        {orgs.map((org) => (
          <MenuLink key={org.id} render={<Link href={paths.org(org.slug)} />}>
            <Avatar name={org.name} size={16} />
            <span className="max-w-48 flex-1 truncate">{org.name}</span>
            {org.kind === 'personal' && <span className="text-sm text-fg-3">personal</span>}
            {org.id === current.id && <Check aria-label="current" size={14} />}
          </MenuLink>
        ))}
      </MenuGroup>
      <MenuLine />
      <MenuLink render={<Link href={paths.newOrg()} />}>
        <Plus aria-hidden size={14} />
        Create an organization
      </MenuLink>
    </Menu>
  )
}
