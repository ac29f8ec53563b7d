'use client'
import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import type { ReactNode } from 'react'
import { buttonStyles } from './button.tsx'
import { cn } from './cn.ts'

/** 536 px; title, body, and a footer on surface 2 with the primary action at the right. */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  children,
  footer,
  className,
}: {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: string
  description?: ReactNode
  children?: ReactNode
  footer?: ReactNode
  className?: string
}) {
  return (
    <Base.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-scrim transition-opacity duration-150 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <Base.Popup
          className={cn(
            'fixed top-1/2 left-1/2 z-50 flex max-h-[calc(100dvh-32px)] w-[min(536px,calc(100vw-24px))] -translate-x-1/2 -translate-y-1/2 flex-col overflow-hidden rounded-5 bg-raised shadow-overlay transition-[opacity,scale] duration-150 focus-visible:outline-none data-ending-style:scale-[0.98] data-ending-style:opacity-0 data-starting-style:scale-[0.98] data-starting-style:opacity-0',
            className,
          )}
        >
          <header className="flex items-center pt-3.5 pr-3 pl-5">
            <Base.Title className="flex-1 text-xl font-semibold tracking-[-0.015em]">{title}</Base.Title>
            <Base.Close aria-label="Close" className={buttonStyles({ variant: 'ghost', size: 'icon' })}>
              <X aria-hidden size={16} />
            </Base.Close>
          </header>
          <div className="grid gap-3.5 overflow-y-auto px-5 pt-2 pb-5">
            {description !== undefined && (
              <Base.Description render={<div />} className="text-fg-2">
                {description}
              </Base.Description>
            )}
            {children}
          </div>
          {footer !== undefined && (
            <footer className="flex items-center justify-end gap-2 border-t border-hair bg-surface-2 px-5 py-3">
              {footer}
            </footer>
          )}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}
