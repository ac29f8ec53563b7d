'use client'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import type { ChannelRow, ConversationMessage, ConversationRow } from '#lib/trpc/views.ts'
import { useTRPC } from '../shell/trpc.tsx'
import { useKeys } from '../shell/use-keys.ts'
import { Empty, Failed } from '../ui/empty.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { addressOf, addressOfKey } from './address.ts'
import { Composer } from './composer.tsx'
import { ConversationHead } from './conversation-head.tsx'
import { Feed } from './feed.tsx'
import { useConversation } from './use-conversation.ts'
import { useMarkRead } from './use-mark-read.ts'
import { useSending } from './use-sending.ts'

type Props = {
  org: string
  conversationKey: string
  /** It was chosen in order to write. */
  isForWriting: boolean
  onClose: () => void
}

/** One conversation, from its end; and where one writes. Give it the conversation's key as its React key. */
export function Conversation({ org, conversationKey, isForWriting, onClose }: Props) {
  const { query, older, loadOlder } = useConversation(org, conversationKey)
  const [isAtEnd, setAtEnd] = useState(false)
  const [replyTo, setReplyTo] = useState<ConversationMessage | null>(null)
  const field = useRef<HTMLTextAreaElement>(null)
  const pane = useRef<HTMLElement>(null)
  const data = query.data
  const conversation = data?.conversation
  const messages = data?.rows ?? []
  const to = conversation ? addressOf(conversation) : addressOfKey(conversationKey)
  const newest = messages.at(-1)
  const closed = conversation ? closedBecause(conversation) : null
  const channels = useQuery({
    ...useTRPC().channels.list.queryOptions({ org }),
    enabled: conversation?.kind === 'channel',
  })
  const channel = channels.data?.find(({ name }) => name === conversation?.name)
  useMarkRead({ org, key: conversationKey, unread: conversation?.unread ?? 0, upTo: isAtEnd ? newest?.id : undefined })
  const { text, setText, send, isSending, error } = useSending(org, { key: conversationKey, to })

  const write = () => field.current?.focus()
  useEffect(() => {
    if (isForWriting) field.current?.focus()
  }, [isForWriting])
  const reply = (message: ConversationMessage | undefined) => {
    if (!message) return
    setReplyTo(message)
    write()
  }
  /** The message that has the focus, else the newest that one got. */
  const meant = () => {
    const id = document.activeElement?.closest<HTMLElement>('[data-message]')?.dataset.message
    return messages.find((message) => message.id === id) ?? messages.findLast(({ isMine }) => !isMine)
  }
  useKeys({ r: () => reply(meant()), Enter: write, Escape: onClose })

  return (
    <section ref={pane} aria-label={`Conversation with ${to}`} className="flex min-h-0 min-w-0 flex-1 flex-col">
      <ConversationHead org={org} to={to} conversation={conversation} channel={channel} onClose={onClose} />
      {query.isPending && (
        <div className="flex min-h-0 flex-1 flex-col justify-end">
          <BoneRows rows={6} height={52} />
        </div>
      )}
      {query.isError && !data && (
        <div className="flex-1">
          <Failed error={query.error} onRetry={() => query.refetch()} />
        </div>
      )}
      {conversation && messages.length === 0 && <NothingYet conversation={conversation} />}
      {conversation && messages.length > 0 && (
        <Feed
          label={`Messages with ${to}`}
          messages={messages}
          unread={conversation.unread}
          hasOlder={data.nextCursor !== null}
          older={older}
          beginning={
            <p className="px-4 pt-6 pb-2 text-sm text-fg-3">This is where the conversation with {to} begins.</p>
          }
          onOlder={loadOlder}
          onReply={reply}
          onAgain={
            closed === null ? ({ body, thread, replyTo: answers }) => send({ body, thread, replyTo: answers }) : null
          }
          onEnd={setAtEnd}
        />
      )}
      {(conversation || query.isPending) && (
        <Composer
          field={field}
          to={to}
          text={text}
          onText={setText}
          replyTo={replyTo}
          onNoReply={() => setReplyTo(null)}
          closed={closed}
          note={conversation ? noteOn(conversation, channel) : null}
          isSending={isSending}
          error={error}
          onSend={() =>
            send({ body: text, thread: replyTo?.thread ?? null, replyTo: replyTo?.id ?? null }, () => {
              setText('')
              setReplyTo(null)
            })
          }
          onLeave={() => {
            field.current?.blur()
            pane.current?.querySelector<HTMLElement>('[data-message][tabindex="0"]')?.focus({ preventScroll: true })
          }}
        />
      )}
    </section>
  )
}

const closedBecause = ({ kind, name, machine }: ConversationRow): string | null =>
  kind === 'agent' && machine === null ? `${name} is gone: its machine was revoked.` : null

function noteOn({ kind, name, status }: ConversationRow, channel: ChannelRow | undefined): string | null {
  if (kind === 'agent')
    return status === 'offline' ? `${name} is offline: the control plane keeps what you send for up to 7 days.` : null
  if (channel && !channel.members.some((member) => member.kind === 'agent'))
    return `No agent is in #${name}: only people will read it here.`
  return channel && !channel.isMember ? `You are not in #${name}: writing to it makes you a member.` : null
}

function NothingYet({ conversation }: { conversation: ConversationRow }) {
  const to = addressOf(conversation)
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <Empty title={`Nothing was said with ${to} yet`}>
        {conversation.kind === 'agent' ? (
          <p>What you write here reaches {to} as a message from you. It answers you here.</p>
        ) : (
          <p>
            What you write here reaches every agent in {to}, and everybody may read it here. Writing makes you a member.
          </p>
        )}
      </Empty>
    </div>
  )
}
