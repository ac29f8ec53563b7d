'use client'
import { Dialog as Base } from '@base-ui/react/dialog'
import { useQuery } from '@tanstack/react-query'
import { Command } from 'cmdk'
import { Laptop, Plus, Search } from 'lucide-react'
import { useRouter } from 'next/navigation'
import type { ReactNode } from 'react'
import { paths } from '#lib/paths.ts'
import type { OrgView } from '#lib/trpc/views.ts'
import { AgentShape } from '../marks/status.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { destinations } from './navigation.ts'
import { useTRPC } from './trpc.tsx'

/** ⌘K: pages, agents, machines, organizations. */
export function Palette({
  org,
  open,
  onOpenChange,
}: {
  org: OrgView
  open: boolean
  onOpenChange: (open: boolean) => void
}) {
  const trpc = useTRPC()
  const router = useRouter()
  const agents = useQuery({ ...trpc.agents.list.queryOptions({ org: org.slug }), enabled: open })
  const machines = useQuery({ ...trpc.machines.list.queryOptions({ org: org.slug }), enabled: open })
  const me = useQuery(trpc.me.get.queryOptions())
  const go = (href: string) => () => {
    onOpenChange(false)
    router.push(href)
  }
  return (
    <Base.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-scrim transition-opacity duration-120 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <Base.Popup className="fixed top-[12vh] left-1/2 z-50 w-[min(536px,calc(100vw-24px))] -translate-x-1/2 overflow-hidden rounded-5 bg-raised shadow-overlay transition-opacity duration-120 focus-visible:outline-none data-ending-style:opacity-0 data-starting-style:opacity-0">
          <Base.Title className="sr-only">Go to</Base.Title>
          <Command label="Go to" loop>
            <div className="flex h-12 items-center gap-2.5 border-b border-hair px-4">
              <Search aria-hidden size={16} className="text-fg-3" />
              <Command.Input
                placeholder="Page, agent, machine or organization"
                className="h-full flex-1 bg-transparent text-lg outline-none placeholder:text-fg-3"
              />
            </div>
            <Command.List className="max-h-[min(400px,60vh)] overflow-y-auto p-1.5">
              <Command.Empty className="px-3 py-6 text-center text-fg-3">Nothing here has that name.</Command.Empty>
              <Group heading="Pages">
                {destinations.map((item) => (
                  <Item key={item.label} value={`page ${item.label}`} onSelect={go(item.href(org.slug))}>
                    <item.icon aria-hidden size={16} />
                    {item.label}
                  </Item>
                ))}
              </Group>
              <Group heading="Agents">
                {agents.data?.map((agent) => (
                  <Item
                    key={agent.name}
                    value={`agent ${agent.name}`}
                    onSelect={go(`${paths.agents(org.slug)}?q=${encodeURIComponent(agent.name)}`)}
                  >
                    <AgentShape status={agent.status} />
                    {agent.name}
                    <span className="mono ml-auto text-fg-3">{agent.machine.name}</span>
                  </Item>
                ))}
              </Group>
              <Group heading="Machines">
                {machines.data?.map((machine) => (
                  <Item key={machine.id} value={`machine ${machine.name}`} onSelect={go(paths.machines(org.slug))}>
                    <Laptop aria-hidden size={16} />
                    <span className="mono">{machine.name}</span>
                    <span className="ml-auto text-fg-3">{machine.person}</span>
                  </Item>
                ))}
              </Group>
              <Group heading="Organizations">
                {me.data?.orgs
                  .filter((other) => other.id !== org.id)
                  .map((other) => (
                    <Item
                      key={other.id}
                      value={`organization ${other.name} ${other.slug}`}
                      onSelect={go(paths.org(other.slug))}
                    >
                      <Avatar name={other.name} size={16} />
                      {other.name}
                    </Item>
                  ))}
                <Item value="create an organization" onSelect={go(paths.newOrg())}>
                  <Plus aria-hidden size={16} />
                  Create an organization
                </Item>
              </Group>
            </Command.List>
          </Command>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

function Group({ heading, children }: { heading: string; children: ReactNode }) {
  return (
    <Command.Group
      heading={heading}
      className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-sm [&_[cmdk-group-heading]]:text-fg-3"
    >
      {children}
    </Command.Group>
  )
}

function Item({ value, onSelect, children }: { value: string; onSelect: () => void; children: ReactNode }) {
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
