'use client'
import { ArrowLeft, Hash, MessagesSquare, Users, X } from 'lucide-react'
import Link from 'next/link'
import type { ReactNode } from 'react'
import { paths } from '#lib/paths.ts'
import type { ChannelRow, ConversationRow } from '#lib/trpc/views.ts'
import { count, plural } from '../format/format.ts'
import { AgentShape } from '../marks/status.tsx'
import { Button, buttonStyles } from '../ui/button.tsx'

type Props = {
  org: string
  to: string
  conversation: ConversationRow | undefined
  channel: ChannelRow | undefined
  onClose: () => void
}

/** With whom, how they are, and where there is more about them. */
export function ConversationHead({ org, to, conversation, channel, onClose }: Props) {
  const name = conversation?.name ?? to
  const isChannel = conversation?.kind === 'channel'
  return (
    <header className="flex h-11 shrink-0 items-center gap-2 border-b border-hair pr-3 pl-1 lg:pl-4">
      <Button variant="ghost" size="touch" aria-label="Back to the inbox" className="lg:hidden" onClick={onClose}>
        <ArrowLeft aria-hidden size={16} />
      </Button>
      {isChannel && <Hash aria-hidden size={14} className="shrink-0 text-fg-3" />}
      {conversation?.status && <AgentShape status={conversation.status} />}
      <h2 className="min-w-0 shrink-0 truncate font-semibold">{name}</h2>
      {conversation?.status && <span className="text-sm text-fg-3 max-sm:hidden">{conversation.status}</span>}
      {conversation?.machine != null && <span className="mono truncate text-fg-3">{conversation.machine}</span>}
      {channel?.topic != null && <span className="truncate text-sm text-fg-3">{channel.topic}</span>}
      <span className="flex-1" />
      {isChannel ? (
        <HeadLink
          href={paths.channels(org, name.toLowerCase())}
          label={channel ? `${plural(channel.members.length, 'member')} and the topic` : 'Members and the topic'}
        >
          <Users aria-hidden size={16} />
          {channel && <span className="text-sm">{count(channel.members.length)}</span>}
        </HeadLink>
      ) : (
        <HeadLink href={`${paths.messages(org)}?q=${encodeURIComponent(name)}`} label={`Every message of ${name}`}>
          <MessagesSquare aria-hidden size={16} />
        </HeadLink>
      )}
      <Button
        variant="ghost"
        size="icon"
        aria-label="Close the conversation"
        title="Close (Esc)"
        className="-mr-1.5 max-lg:hidden"
        onClick={onClose}
      >
        <X aria-hidden size={16} />
      </Button>
    </header>
  )
}

function HeadLink({ href, label, children }: { href: string; label: string; children: ReactNode }) {
  return (
    <Link
      href={href}
      aria-label={label}
      title={label}
      className={buttonStyles({ variant: 'ghost', className: '-mx-1' })}
    >
      {children}
    </Link>
  )
}
