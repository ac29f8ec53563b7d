'use client'
import { Menu as Base } from '@base-ui/react/menu'
import type { ComponentProps, ReactNode } from 'react'
import { cn } from './cn.ts'
import type { MenuProps } from './menu-button.tsx'

/** A menu beside `anchor`, the button that opened it. */
export function Menu({
  anchor,
  open,
  onOpenChange,
  children,
  side = 'bottom',
}: MenuProps & { children: ReactNode; side?: 'bottom' | 'top' }) {
  return (
    <Base.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      {/* Within the sidebar's landmark: who walks a page by landmarks finds an open menu there. */}
      <Base.Portal container={anchor?.closest<HTMLElement>('aside')}>
        <Base.Positioner anchor={anchor} side={side} align="start" sideOffset={4} className="z-50">
          <Base.Popup
            finalFocus={() => anchor}
            className="min-w-56 rounded-3 bg-raised p-1 shadow-overlay transition-opacity duration-120 focus-visible:outline-none data-ending-style:opacity-0 data-starting-style:opacity-0"
          >
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  )
}

const item =
  'flex h-8 cursor-pointer items-center gap-2 rounded-2 px-2 text-fg outline-none select-none data-highlighted:bg-surface-3 [&_svg]:text-fg-3'

export function MenuItem({ className, ...props }: ComponentProps<typeof Base.Item>) {
  return <Base.Item className={cn(item, className as string)} {...props} />
}

/** An item that is a link, so that it opens in a new tab as links do. */
export function MenuLink({ className, ...props }: ComponentProps<typeof Base.LinkItem>) {
  return <Base.LinkItem closeOnClick className={cn(item, className as string)} {...props} />
}

/** Items under a quiet word, which also names the group. */
export function MenuGroup({ label, children }: { label: string; children?: ReactNode }) {
  return (
    <Base.Group aria-label={label}>
      <div aria-hidden className="px-2 pt-1 pb-0.5 text-sm text-fg-3">
        {label}
      </div>
      {children}
    </Base.Group>
  )
}

export function MenuLine() {
  return <Base.Separator className="mx-1 my-1 h-px bg-hair" />
}
