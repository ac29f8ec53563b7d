'use client'
import { Check, LogOut, Monitor, Moon, Sun } from 'lucide-react'
import { useTheme } from 'next-themes'
import { paths } from '#lib/paths.ts'
import type { MeView } from '#lib/trpc/views.ts'
import { Menu, MenuGroup, MenuItem, MenuLine } from '../ui/menu.tsx'
import type { MenuProps } from '../ui/menu-button.tsx'

const themes = [
  { value: 'system', label: 'As the system', icon: Monitor },
  { value: 'light', label: 'Light', icon: Sun },
  { value: 'dark', label: 'Dark', icon: Moon },
]

async function leave() {
  const { signOut } = await import('next-auth/react')
  await signOut({ callbackUrl: paths.signIn() })
}

/** The theme, and the way out. */
export function AccountMenu({ user, ...menu }: MenuProps & { user: MeView['user'] }) {
  const { theme, setTheme } = useTheme()
  return (
    <Menu {...menu} side="top">
      <MenuGroup label={user.email ?? user.handle} />
      <MenuLine />
      <MenuGroup label="Theme">
        {themes.map(({ value, label, icon: Icon }) => (
          <MenuItem key={value} closeOnClick={false} onClick={() => setTheme(value)}>
            <Icon aria-hidden size={14} />
            <span className="flex-1">{label}</span>
            {theme === value && <Check aria-label="chosen" size={14} />}
          </MenuItem>
        ))}
      </MenuGroup>
      <MenuLine />
      <MenuItem onClick={leave}>
        <LogOut aria-hidden size={14} />
        Sign out
      </MenuItem>
    </Menu>
  )
}
