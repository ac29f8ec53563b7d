'use client'
import { useQuery } from '@tanstack/react-query'
import { Hash } from 'lucide-react'
import { useRef, useState } from 'react'
import type { ConversationRow } from '#lib/trpc/views.ts'
import { count } from '../format/format.ts'
import { AgentShape } from '../marks/status.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { CommandDialog, CommandGroup, CommandItem } from '../ui/command-dialog.tsx'

/** More than a person looks through; typing finds the rest. */
const SHOWN = 40
const SHOWN_BESIDE = 6

type Props = {
  org: string
  title: string
  only?: 'agents'
  /** Name keys of agents that are no choice. */
  without?: ReadonlySet<string>
  open: boolean
  onOpenChange: (open: boolean) => void
  /** What is picked is opened, and takes the focus. */
  opensConversation?: boolean
  onPick: (picked: Pick<ConversationRow, 'kind' | 'name'>) => void
}

/** To whom: an agent or a channel, found by typing. */
export function RecipientPicker({
  org,
  title,
  only,
  without,
  open,
  onOpenChange,
  opensConversation = false,
  onPick,
}: Props) {
  const trpc = useTRPC()
  const agents = useQuery({ ...trpc.agents.list.queryOptions({ org }), enabled: open })
  const channels = useQuery({ ...trpc.channels.list.queryOptions({ org }), enabled: open && only !== 'agents' })
  const [search, setSearch] = useState('')
  const hasPicked = useRef(false)
  const pick = (picked: Parameters<typeof onPick>[0]) => () => {
    hasPicked.current = true
    onPick(picked)
  }
  const wanted = search.trim().replace(/^#/, '').toLowerCase()
  const wantsChannel = search.trim().startsWith('#')
  const matches = (...texts: (string | null)[]) => texts.some((text) => text?.toLowerCase().includes(wanted))
  const foundAgents = wantsChannel
    ? []
    : (agents.data ?? []).filter(
        (agent) =>
          !agent.isPerson &&
          !without?.has(agent.name.toLowerCase()) &&
          matches(agent.name, agent.machine.name, agent.project),
      )
  const foundChannels =
    only === 'agents' ? [] : (channels.data ?? []).filter((channel) => matches(channel.name, channel.topic))
  const isLoading = agents.isLoading || channels.isLoading
  return (
    <CommandDialog
      title={title}
      placeholder={only === 'agents' ? 'An agent' : 'To an agent or a #channel'}
      empty={isLoading ? 'Loading' : 'Nothing here has that name.'}
      open={open}
      onOpenChange={onOpenChange}
      search={search}
      onSearch={setSearch}
      onClosed={() => {
        setSearch('')
        hasPicked.current = false
      }}
      returnsFocus={() => !(hasPicked.current && opensConversation)}
    >
      {foundChannels.length > 0 && (
        <CommandGroup heading="Channels">
          {foundChannels.slice(0, foundAgents.length === 0 ? SHOWN : SHOWN_BESIDE).map((channel) => (
            <CommandItem
              key={channel.name}
              value={`#${channel.name}`}
              onSelect={pick({ kind: 'channel', name: channel.name })}
            >
              <Hash aria-hidden size={16} className="shrink-0" />
              <span className="font-medium">{channel.name}</span>
              <span className="ml-auto truncate text-fg-3">{channel.topic}</span>
            </CommandItem>
          ))}
        </CommandGroup>
      )}
      {foundAgents.length > 0 && (
        <CommandGroup heading="Agents">
          {foundAgents.slice(0, SHOWN).map((agent) => (
            <CommandItem key={agent.name} value={agent.name} onSelect={pick({ kind: 'agent', name: agent.name })}>
              <AgentShape status={agent.isHeld ? agent.status : 'offline'} />
              <span className="font-medium">{agent.name}</span>
              <span className="truncate text-fg-3">{agent.project}</span>
              <span className="mono ml-auto truncate text-fg-3">{agent.machine.name}</span>
            </CommandItem>
          ))}
        </CommandGroup>
      )}
      {foundAgents.length > SHOWN && (
        <p className="px-2.5 py-2 text-sm text-fg-3">{count(foundAgents.length - SHOWN)} more: type to find them.</p>
      )}
    </CommandDialog>
  )
}
