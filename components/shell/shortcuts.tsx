'use client'
import type { ReactNode } from 'react'
import { Kbd } from '../ui/badge.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { destinations } from './navigation.ts'

const onMessages = [
  { keys: ['J'], label: 'Next message' },
  { keys: ['K'], label: 'Previous message' },
  { keys: ['Esc'], label: 'Close the message' },
  { keys: ['/'], label: 'Search' },
]

/** Every shortcut there is. */
export function Shortcuts(props: { open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Dialog {...props} title="Keyboard shortcuts">
      <div className="grid gap-x-8 gap-y-4 sm:grid-cols-2">
        <Group title="Anywhere">
          <Row keys={['⌘', 'K']} label="Go to anything (Ctrl K)" />
          <Row keys={['?']} label="This list" />
          {destinations.map((item) => (
            <Row key={item.key} keys={['G', item.key]} label={item.label} />
          ))}
        </Group>
        <Group title="In lists">
          {onMessages.map((row) => (
            <Row key={row.label} {...row} />
          ))}
        </Group>
      </div>
    </Dialog>
  )
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h3 className="mb-1 text-sm text-fg-3">{title}</h3>
      <dl>{children}</dl>
    </section>
  )
}

function Row({ keys, label }: { keys: string[]; label: string }) {
  return (
    <div className="flex h-8 items-center gap-1 border-b border-hair">
      <dt className="flex-1">{label}</dt>
      <dd className="flex gap-1">
        {keys.map((key) => (
          <Kbd key={key}>{key}</Kbd>
        ))}
      </dd>
    </div>
  )
}
