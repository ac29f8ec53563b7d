'use client'
import { useQuery } from '@tanstack/react-query'
import { Check, LogOut, Monitor, Moon, Sun } from 'lucide-react'
import { useTheme } from 'next-themes'
import { paths } from '#lib/paths.ts'
import { Avatar } from '../ui/badge.tsx'
import { Menu, MenuHead, MenuItem, MenuLine } from '../ui/menu.tsx'
import { Bone } from '../ui/skeleton.tsx'
import { useTRPC } from './trpc.tsx'

const themes = [
  { value: 'system', label: 'As the system', icon: Monitor },
  { value: 'light', label: 'Light', icon: Sun },
  { value: 'dark', label: 'Dark', icon: Moon },
]

/** Who is signed in, the theme, and the way out. */
export function UserMenu() {
  const me = useQuery(useTRPC().me.get.queryOptions())
  const { theme, setTheme } = useTheme()
  const user = me.data?.user
  async function leave() {
    // Loaded on the click: nothing else in an organization's pages needs it.
    const { signOut } = await import('next-auth/react')
    await signOut({ callbackUrl: paths.signIn() })
  }
  if (!user)
    return (
      <span className="flex h-8 flex-1 items-center gap-2 px-1">
        <Bone className="size-5 rounded-full" />
        <Bone className="w-20" />
      </span>
    )
  return (
    <Menu
      side="top"
      trigger={
        <button
          type="button"
          className="flex h-8 min-w-0 flex-1 items-center gap-2 rounded-2 px-1 text-left hover:bg-surface-3"
        >
          <Avatar name={user.name} image={user.image} />
          <span className="truncate">{user.name}</span>
          <span className="sr-only">, account menu</span>
        </button>
      }
    >
      <MenuHead>{user.email ?? user.handle}</MenuHead>
      <MenuLine />
      <MenuHead>Theme</MenuHead>
      {themes.map(({ value, label, icon: Icon }) => (
        <MenuItem key={value} closeOnClick={false} onClick={() => setTheme(value)}>
          <Icon aria-hidden size={14} />
          <span className="flex-1">{label}</span>
          {theme === value && <Check aria-label="chosen" size={14} />}
        </MenuItem>
      ))}
      <MenuLine />
      <MenuItem onClick={leave}>
        <LogOut aria-hidden size={14} />
        Sign out
      </MenuItem>
    </Menu>
  )
}
