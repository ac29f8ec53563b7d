'use client'
import { useQuery } from '@tanstack/react-query'
import { useCommandState } from 'cmdk'
import { Hash, Laptop, PenLine, Plus } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { paths } from '#lib/paths.ts'
import type { AgentRow, ChannelRow, OrgView } from '#lib/trpc/views.ts'
import { keyOf } from '../inbox/address.ts'
import { AgentShape } from '../marks/status.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { CommandDialog, CommandGroup, CommandItem } from '../ui/command-dialog.tsx'
import { destinations } from './navigation.ts'
import { useTRPC } from './trpc.tsx'

/** ⌘K: pages, agents, conversations, machines, organizations. */
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
  const channels = useQuery({ ...trpc.channels.list.queryOptions({ org: org.slug }), enabled: open })
  const me = useQuery(trpc.me.get.queryOptions())
  const go = (href: string) => () => {
    onOpenChange(false)
    router.push(href)
  }
  const write = (kind: 'agent' | 'channel', name: string) => go(paths.inbox(org.slug, keyOf({ kind, name })))
  return (
    <CommandDialog
      title="Go to"
      placeholder="Page, agent, channel, machine or organization"
      empty="Nothing here has that name."
      open={open}
      onOpenChange={onOpenChange}
    >
      <CommandGroup heading="Pages">
        {destinations.map((item) => (
          <CommandItem key={item.label} value={`page ${item.label}`} onSelect={go(item.href(org.slug))}>
            <item.icon aria-hidden size={16} />
            {item.label}
          </CommandItem>
        ))}
      </CommandGroup>
      <CommandGroup heading="Agents">
        {agents.data?.map((agent) => (
          <CommandItem
            key={agent.name}
            value={`agent ${agent.name}`}
            onSelect={go(`${paths.agents(org.slug)}?q=${encodeURIComponent(agent.name)}`)}
          >
            <AgentShape status={agent.status} />
            {agent.name}
            <span className="mono ml-auto text-fg-3">{agent.machine.name}</span>
          </CommandItem>
        ))}
      </CommandGroup>
      <Conversations agents={agents.data ?? []} channels={channels.data ?? []} onWrite={write} />
      <CommandGroup heading="Machines">
        {machines.data?.map((machine) => (
          <CommandItem key={machine.id} value={`machine ${machine.name}`} onSelect={go(paths.machines(org.slug))}>
            <Laptop aria-hidden size={16} />
            <span className="mono">{machine.name}</span>
            <span className="ml-auto text-fg-3">{machine.person}</span>
          </CommandItem>
        ))}
      </CommandGroup>
      <CommandGroup heading="Organizations">
        {me.data?.orgs
          .filter((other) => other.id !== org.id)
          .map((other) => (
            <CommandItem
              key={other.id}
              value={`organization ${other.name} ${other.slug}`}
              onSelect={go(paths.org(other.slug))}
            >
              <Avatar name={other.name} size={16} />
              {other.name}
            </CommandItem>
          ))}
        <CommandItem value="create an organization" onSelect={go(paths.newOrg())}>
          <Plus aria-hidden size={16} />
          Create an organization
        </CommandItem>
      </CommandGroup>
    </CommandDialog>
  )
}

/** Channels always; to write to an agent once something is typed, so that every agent does not stand there twice. */
function Conversations({
  agents,
  channels,
  onWrite,
}: {
  agents: AgentRow[]
  channels: ChannelRow[]
  onWrite: (kind: 'agent' | 'channel', name: string) => () => void
}) {
  const isSearching = useCommandState((state) => state.search.trim() !== '')
  return (
    <CommandGroup heading="Conversations">
      {channels.map(({ name, topic }) => (
        <CommandItem key={name} value={`channel #${name}`} onSelect={onWrite('channel', name)}>
          <Hash aria-hidden size={16} className="shrink-0" />
          {name}
          <span className="ml-auto truncate text-fg-3">{topic}</span>
        </CommandItem>
      ))}
      {isSearching &&
        agents
          .filter(({ isPerson }) => !isPerson)
          .map(({ name }) => (
            <CommandItem key={name} value={`write to ${name}`} onSelect={onWrite('agent', name)}>
              <PenLine aria-hidden size={16} />
              Write to {name}
            </CommandItem>
          ))}
    </CommandGroup>
  )
}
