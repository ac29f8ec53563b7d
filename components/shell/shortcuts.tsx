'use client'
import type { ReactNode } from 'react'
import { Kbd } from '../ui/badge.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { destinations } from './navigation.ts'

const inLists = [
  { keys: ['J'], label: 'Next' },
  { keys: ['K'], label: 'Previous' },
  { keys: ['Esc'], label: 'Close what is open' },
  { keys: ['/'], label: 'Search' },
]
const inInbox = [
  { keys: ['N'], label: 'New message' },
  { keys: ['Enter'], label: 'Write' },
  { keys: ['⌘', 'Enter'], label: 'Send (Ctrl Enter)' },
  { keys: ['↑', '↓'], label: 'From message to message' },
  { keys: ['R'], label: 'Reply to the message' },
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
        <div className="grid content-start gap-4">
          <Group title="In lists">
            {inLists.map((row) => (
              <Row key={row.label} {...row} />
            ))}
          </Group>
          <Group title="In the inbox">
            {inInbox.map((row) => (
              <Row key={row.label} {...row} />
            ))}
          </Group>
        </div>
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
