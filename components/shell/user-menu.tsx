'use client'
import { useQuery } from '@tanstack/react-query'
import { Avatar } from '../ui/avatar.tsx'
import { MenuButton } from '../ui/menu-button.tsx'
import { Bone } from '../ui/skeleton.tsx'
import { useTRPC } from './trpc.tsx'

const loadMenu = () => import('./account-menu.tsx').then((module) => module.AccountMenu)

/** Who is signed in. */
export function UserMenu() {
  const user = useQuery(useTRPC().me.get.queryOptions()).data?.user
  if (!user)
    return (
      <span className="flex h-8 flex-1 items-center gap-2 px-1">
        <Bone shape="size-5 rounded-full" />
        <Bone className="w-20" />
      </span>
    )
  return (
    <MenuButton
      load={loadMenu}
      menu={{ user }}
      className="flex h-8 min-w-0 flex-1 items-center gap-2 rounded-2 px-1 text-left hover:bg-surface-3"
    >
      <Avatar name={user.name} image={user.image} />
      <span className="truncate">{user.name}</span>
      <span className="sr-only">, account menu</span>
    </MenuButton>
  )
}
