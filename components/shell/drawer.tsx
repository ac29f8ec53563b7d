'use client'
import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import { usePathname } from 'next/navigation'
import { useEffect, useRef } from 'react'
import type { OrgView } from '#lib/trpc/views.ts'
import { buttonStyles } from '../ui/button.tsx'
import { Sidebar } from './sidebar.tsx'

/** The sidebar on small screens. */
export function Drawer({
  open,
  onOpenChange,
  ...sidebar
}: {
  open: boolean
  onOpenChange: (open: boolean) => void
  org: OrgView
  onFind: () => void
  onShortcuts: () => void
}) {
  const pathname = usePathname()
  const shown = useRef(pathname)
  useEffect(() => {
    if (shown.current === pathname) return
    shown.current = pathname
    onOpenChange(false)
  }, [pathname, onOpenChange])
  return (
    <Base.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-scrim transition-opacity duration-200 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <Base.Popup className="fixed inset-y-0 right-0 z-50 flex w-[min(304px,88vw)] flex-col bg-surface-0 shadow-overlay transition-transform duration-200 focus-visible:outline-none data-ending-style:translate-x-full data-starting-style:translate-x-full">
          <Base.Title className="sr-only">Menu</Base.Title>
          <Base.Close
            aria-label="Close the menu"
            className={buttonStyles({ variant: 'ghost', size: 'touch', className: 'mt-1 mr-2 ml-auto' })}
          >
            <X aria-hidden size={16} />
          </Base.Close>
          <Sidebar {...sidebar} isTouch />
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}
