import Link from 'next/link'
import { paths } from '#lib/paths.ts'
import type { ChannelRow } from '#lib/trpc/views.ts'
import { count, plural } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { AgentShape } from '../marks/status.tsx'
import { Badge } from '../ui/badge.tsx'
import type { Column, Layout } from '../ui/data-table.tsx'

/** Beside an opened channel only what tells channels apart. */
export const layoutOf = (isCompact: boolean): Layout => ({
  name: isCompact ? '' : 'w-[200px] max-sm:w-auto',
  topic: isCompact ? 'hidden' : 'max-md:hidden',
  members: isCompact ? 'hidden' : 'w-[200px] max-lg:hidden',
  people: isCompact ? 'w-[84px] text-right' : 'w-[84px] text-right max-sm:hidden',
  last: 'w-[98px] text-right',
  unread: 'w-[76px] text-right',
})

const agentsOf = ({ members }: ChannelRow) => members.filter(({ kind }) => kind === 'agent')

/** Columns of the channels' table; `onOpen` shows one beside it. */
export const columnsOf = (org: string, onOpen: (name: string) => void): Column<ChannelRow>[] => [
  {
    id: 'name',
    header: 'Channel',
    by: (channel) => channel.name.toLowerCase(),
    cell: (channel) => (
      <span className="flex items-center gap-2">
        <Link
          href={paths.channels(org, channel.name.toLowerCase())}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return // a new tab, as links do
            event.preventDefault()
            onOpen(channel.name.toLowerCase())
          }}
          className="truncate font-medium after:absolute after:inset-0"
        >
          <span className="text-fg-3">#</span>
          {channel.name}
        </Link>
        {channel.isMember && <Badge>joined</Badge>}
      </span>
    ),
  },
  {
    id: 'topic',
    header: 'Topic',
    by: (channel) => channel.topic?.toLowerCase() ?? null,
    cell: (channel) => <span className="text-fg-2">{channel.topic ?? '–'}</span>,
  },
  {
    id: 'members',
    header: 'Agents',
    by: (channel) => agentsOf(channel).length,
    cell: (channel) => {
      const agents = agentsOf(channel)
      if (agents.length === 0) return <span className="text-fg-3">none</span>
      return (
        // Whole names only: what does not fit falls into the line that is cut off.
        <span
          className="flex h-5 flex-wrap items-center gap-x-2 overflow-hidden"
          title={agents.map(({ name }) => name).join(', ')}
        >
          {agents.map(({ name, status }) => (
            <span key={name} className="flex h-5 max-w-full items-center gap-1">
              <AgentShape status={status ?? 'offline'} />
              <span className="truncate">{name}</span>
            </span>
          ))}
        </span>
      )
    },
  },
  {
    id: 'people',
    header: 'Members',
    by: (channel) => channel.members.length,
    cell: (channel) => (
      <span className="text-fg-2" title={plural(channel.members.length, 'member')}>
        {count(channel.members.length)}
      </span>
    ),
  },
  {
    id: 'last',
    header: 'Last message',
    by: (channel) => channel.lastAt,
    cell: (channel) =>
      channel.lastAt === null ? (
        <span className="text-fg-3">never</span>
      ) : (
        <Ago at={channel.lastAt} className="text-fg-2" />
      ),
  },
  {
    id: 'unread',
    header: 'Unread',
    by: (channel) => channel.unread,
    cell: (channel) =>
      channel.unread > 0 ? (
        <span className="font-medium text-accent">{count(channel.unread)}</span>
      ) : (
        <span className="text-fg-3">{channel.isMember ? '0' : '–'}</span>
      ),
  },
]
