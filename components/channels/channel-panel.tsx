'use client'
import { useQuery } from '@tanstack/react-query'
import { MessagesSquare, Pencil, Plus, Trash2, X } from 'lucide-react'
import Link from 'next/link'
import { lazy, type ReactNode, Suspense, useState } from 'react'
import { can } from '#lib/access/roles.ts'
import { paths } from '#lib/paths.ts'
import type { ChannelRow } from '#lib/trpc/views.ts'
import { plural } from '../format/format.ts'
import { Ago } from '../format/time.tsx'
import { keyOf } from '../inbox/address.ts'
import { AgentShape } from '../marks/status.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Button, buttonStyles } from '../ui/button.tsx'
import { Empty } from '../ui/empty.tsx'
import { useMembership } from './use-channel-change.ts'

const RecipientPicker = lazy(() =>
  import('../inbox/recipient-picker.tsx').then((module) => ({ default: module.RecipientPicker })),
)
const TopicDialog = lazy(() => import('./topic-dialog.tsx').then((module) => ({ default: module.TopicDialog })))
const RemoveDialog = lazy(() => import('./remove-dialog.tsx').then((module) => ({ default: module.RemoveDialog })))

type Overlay = 'agent' | 'topic' | 'remove'
type Props = { org: string; name: string; channel: ChannelRow | undefined; onClose: () => void }

/** One channel: what it is about, who gets its messages, and the way to its conversation. */
export function ChannelPanel({ org, name, channel, onClose }: Props) {
  const [overlay, setOverlay] = useState<Overlay | null>(null)
  const control = (which: Overlay) => ({
    open: overlay === which,
    onOpenChange: (isOpen: boolean) => setOverlay(isOpen ? which : null),
  })
  const { join, leave, isChanging } = useMembership()
  return (
    <section
      aria-label="Channel"
      className="absolute inset-0 z-20 flex min-h-0 flex-col overflow-y-auto bg-surface-1 lg:static lg:border-l lg:border-line"
    >
      <header className="grid gap-2 border-b border-hair px-4 pt-2.5 pb-3">
        <div className="flex items-center gap-2">
          <h2 className="min-w-0 flex-1 truncate text-lg font-semibold">
            <span className="text-fg-3">#</span>
            {channel?.name ?? name}
          </h2>
          <Button variant="ghost" size="icon" aria-label="Close the channel" className="-mr-1.5" onClick={onClose}>
            <X aria-hidden size={16} />
          </Button>
        </div>
        {channel && (
          <>
            <div className="flex items-start gap-1">
              <p className={channel.topic === null ? 'text-fg-3' : 'min-w-0 text-fg-2 [overflow-wrap:anywhere]'}>
                {channel.topic ?? 'No topic says what it is for.'}
              </p>
              <Button
                variant="ghost"
                size="iconSmall"
                aria-label="Change the topic"
                title="Change the topic"
                className="-mt-0.5"
                onClick={() => setOverlay('topic')}
              >
                <Pencil aria-hidden size={14} />
              </Button>
            </div>
            <p className="text-sm text-fg-3">
              Made by {channel.createdBy}, <Ago at={channel.createdAt} />
            </p>
            <div className="flex flex-wrap gap-2 pt-1">
              <Link
                href={paths.inbox(org, keyOf({ kind: 'channel', name: channel.name }))}
                className={buttonStyles({})}
              >
                <MessagesSquare aria-hidden size={14} />
                Open the conversation
              </Link>
              <Button
                aria-disabled={isChanging}
                onClick={() => (channel.isMember ? leave : join).mutate({ org, name: channel.name })}
              >
                {channel.isMember ? 'Leave' : 'Join'}
              </Button>
            </div>
          </>
        )}
      </header>
      {!channel && (
        <Empty title={`There is no channel #${name}`}>
          <p>It was deleted, or the address is wrong.</p>
        </Empty>
      )}
      {channel && (
        <>
          <Members
            channel={channel}
            isChanging={isChanging}
            onAdd={() => setOverlay('agent')}
            onRemove={(agent) => leave.mutate({ org, name: channel.name, agent })}
          />
          <Removal org={org} channel={channel} onRemove={() => setOverlay('remove')} />
          <Suspense>
            {overlay === 'agent' && (
              <RecipientPicker
                org={org}
                title={`Add an agent to #${channel.name}`}
                only="agents"
                without={new Set(channel.members.flatMap((m) => (m.kind === 'agent' ? m.name.toLowerCase() : [])))}
                {...control('agent')}
                onPick={({ name: agent }) => {
                  setOverlay(null)
                  join.mutate({ org, name: channel.name, agent })
                }}
              />
            )}
            {overlay === 'topic' && <TopicDialog org={org} channel={channel} {...control('topic')} />}
            {overlay === 'remove' && (
              <RemoveDialog org={org} channel={channel} {...control('remove')} onRemoved={onClose} />
            )}
          </Suspense>
        </>
      )}
    </section>
  )
}

function Members({
  channel,
  isChanging,
  onAdd,
  onRemove,
}: {
  channel: ChannelRow
  isChanging: boolean
  onAdd: () => void
  onRemove: (agent: string) => void
}) {
  const agents = channel.members.filter(({ kind }) => kind === 'agent')
  const people = channel.members.filter(({ kind }) => kind === 'person')
  return (
    <>
      <Group
        title="Agents"
        fact={
          agents.length === 0
            ? 'nobody gets its messages yet'
            : `${plural(agents.length, 'agent gets', 'agents get')} every message`
        }
        action={
          <Button variant="link" className="-mr-2.5" onClick={onAdd}>
            <Plus aria-hidden size={14} />
            Add an agent
          </Button>
        }
      >
        {agents.map(({ name, machine, status }) => (
          <li key={name} className="group flex h-9 items-center gap-2 border-b border-hair px-4 hover:bg-surface-3">
            <AgentShape status={status ?? 'offline'} />
            <span className="font-medium">{name}</span>
            <span className="mono min-w-0 flex-1 truncate text-fg-3">{machine}</span>
            <Button
              variant="link"
              className="-mr-2.5"
              aria-disabled={isChanging}
              aria-label={`Remove ${name} from #${channel.name}`}
              onClick={() => onRemove(name)}
            >
              Remove
            </Button>
          </li>
        ))}
      </Group>
      <Group
        title="People"
        fact={
          people.length === 0
            ? 'nobody has it in the inbox'
            : `${plural(people.length, 'person has', 'people have')} it in the inbox`
        }
      >
        {people.map(({ name }) => (
          <li key={name} className="flex h-9 items-center gap-2 border-b border-hair px-4">
            <Avatar name={name} size={16} />
            <span className="font-medium">@{name}</span>
          </li>
        ))}
      </Group>
    </>
  )
}

function Group({
  title,
  fact,
  action,
  children,
}: {
  title: string
  fact: string
  action?: ReactNode
  children: ReactNode[]
}) {
  return (
    <section aria-label={title}>
      <div className="flex h-9 items-center gap-2 border-b border-hair bg-surface-2 px-4">
        <h3 className="font-semibold">{title}</h3>
        <span className="min-w-0 flex-1 truncate text-sm text-fg-3">{fact}</span>
        {action}
      </div>
      {children.length > 0 && <ul>{children}</ul>}
    </section>
  )
}

/** Whoever made it, an owner or an admin may delete a channel; everybody else is told who. */
function Removal({ org, channel, onRemove }: { org: string; channel: ChannelRow; onRemove: () => void }) {
  const trpc = useTRPC()
  const role = useQuery(trpc.orgs.get.queryOptions({ org })).data?.role
  const me = useQuery(trpc.me.get.queryOptions()).data?.user.handle
  // Of an agent's channel the control plane knows whose machine it ran on, and says so when it was another's.
  const isOthers = channel.createdBy.startsWith('@') && channel.createdBy !== `@${me}`
  const cannot = role !== undefined && !can(role, 'channel.removeAny') && isOthers
  return (
    <div className="flex flex-wrap items-center gap-3 px-4 py-4">
      <Button aria-disabled={cannot} onClick={onRemove}>
        <Trash2 aria-hidden size={14} />
        Delete the channel
      </Button>
      {cannot && (
        <p className="text-sm text-fg-3">Only {channel.createdBy}, who made it, and owners and admins may delete it.</p>
      )}
    </div>
  )
}
