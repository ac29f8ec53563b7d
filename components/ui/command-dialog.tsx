'use client'
import { Dialog as Base } from '@base-ui/react/dialog'
import { Command } from 'cmdk'
import { Search } from 'lucide-react'
import type { ReactNode } from 'react'

type Props = {
  title: string
  placeholder: string
  /** What stands there when nothing matches. */
  empty: ReactNode
  open: boolean
  onOpenChange: (open: boolean) => void
  /** Whoever looks for matches itself has what is typed, and the list then shows whatever it is given. */
  search?: string
  onSearch?: (text: string) => void
  onClosed?: () => void
  /** False when the focus went somewhere else on purpose, and must not go back to where it was. */
  returnsFocus?: () => boolean
  children: ReactNode
}

/** One field and a list below it that the field narrows; arrows and Enter choose. */
export function CommandDialog(props: Props) {
  const { title, placeholder, empty, open, onOpenChange, search, onSearch, onClosed, returnsFocus, children } = props
  return (
    <Base.Root
      open={open}
      onOpenChange={(next) => onOpenChange(next)}
      onOpenChangeComplete={(isOpen) => !isOpen && onClosed?.()}
    >
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-scrim transition-opacity duration-120 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <Base.Popup
          finalFocus={() => returnsFocus?.() ?? true}
          className="fixed top-[12vh] left-1/2 z-50 w-[min(536px,calc(100vw-24px))] -translate-x-1/2 overflow-hidden rounded-5 bg-raised shadow-overlay transition-opacity duration-120 focus-visible:outline-none data-ending-style:opacity-0 data-starting-style:opacity-0"
        >
          <Base.Title className="sr-only">{title}</Base.Title>
          <Command label={title} loop shouldFilter={onSearch === undefined}>
            <div className="flex h-12 items-center gap-2.5 border-b border-hair px-4">
              <Search aria-hidden size={16} className="text-fg-3" />
              <Command.Input
                {...(onSearch && { value: search ?? '', onValueChange: onSearch })}
                placeholder={placeholder}
                className="h-full flex-1 bg-transparent text-lg outline-none placeholder:text-fg-3"
              />
            </div>
            <Command.List className="max-h-[min(400px,60vh)] overflow-y-auto p-1.5">
              <Command.Empty className="px-3 py-6 text-center text-fg-3">{empty}</Command.Empty>
              {children}
            </Command.List>
          </Command>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

export function CommandGroup({ heading, children }: { heading: string; children: ReactNode }) {
  return (
    <Command.Group
      heading={heading}
      className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-sm [&_[cmdk-group-heading]]:text-fg-3"
    >
      {children}
    </Command.Group>
  )
}

/** `value` is what is matched, and must not be another item's. */
export function CommandItem({
  value,
  onSelect,
  children,
}: {
  value: string
  onSelect: () => void
  children: ReactNode
}) {
  return (
    <Command.Item
      value={value}
      onSelect={onSelect}
      className="flex h-9 cursor-pointer items-center gap-2.5 rounded-2 px-2.5 data-[selected=true]:bg-surface-3 [&_.lucide]:text-fg-3"
    >
      {children}
    </Command.Item>
  )
}
