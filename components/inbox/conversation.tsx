'use client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { ArrowLeft, Hash, ListTree, Users, X } from 'lucide-react'
import Link from 'next/link'
import { type ReactNode, useCallback, useRef, useState } from 'react'
import { paths } from '#lib/paths.ts'
import type { ConversationMessage, ConversationRow } from '#lib/trpc/views.ts'
import { AgentShape } from '../marks/status.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { useKeys } from '../shell/use-keys.ts'
import { Button, buttonStyles } from '../ui/button.tsx'
import { Empty, Failed } from '../ui/empty.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { addressOf, addressOfKey } from './address.ts'
import { Composer } from './composer.tsx'
import { Feed } from './feed.tsx'
import { useConversation } from './use-conversation.ts'
import { useDraft } from './use-draft.ts'
import { useMarkRead } from './use-mark-read.ts'

type Props = { org: string; conversationKey: string; onClose: () => void }

/** One conversation, from its end; and where one writes. Give it the conversation's key as its React key. */
export function Conversation({ org, conversationKey, onClose }: Props) {
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
  useMarkRead({ org, key: conversationKey, unread: conversation?.unread ?? 0, upTo: isAtEnd ? newest?.id : undefined })
  const { text, setText, send, isSending, error } = useSending(org, { key: conversationKey, to })

  const write = () => field.current?.focus()
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
      <Head org={org} to={to} conversation={conversation} onClose={onClose} />
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
          onAgain={({ body, thread, replyTo: answers }) => send({ body, thread, replyTo: answers })}
          onEnd={setAtEnd}
        />
      )}
      {conversation && (
        <Composer
          field={field}
          to={to}
          text={text}
          onText={setText}
          replyTo={replyTo}
          onNoReply={() => setReplyTo(null)}
          closed={closedBecause(conversation)}
          note={noteOn(conversation)}
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

type Outgoing = { body: string; thread: string | null; replyTo: string | null }

/** The draft, and the way out for it: the text stays where it is until the control plane has it. */
function useSending(org: string, { key, to }: { key: string; to: string }) {
  const trpc = useTRPC()
  const queryClient = useQueryClient()
  const [text, setText] = useDraft(org, key)
  const mutation = useMutation(
    trpc.inbox.send.mutationOptions({
      // Its row is there before the field is empty: what was written is always in sight.
      onSuccess: () => queryClient.invalidateQueries(trpc.inbox.get.queryFilter({ org, key })),
      onSettled: () => void queryClient.invalidateQueries(trpc.inbox.list.queryFilter({ org })),
    }),
  )
  const { mutate, isPending } = mutation
  const send = useCallback(
    ({ body, thread, replyTo }: Outgoing, onSent?: () => void) => {
      if (isPending) return
      const input = { org, to, body, ...(thread !== null && { thread }), ...(replyTo !== null && { replyTo }) }
      mutate(input, { onSuccess: onSent })
    },
    [mutate, isPending, org, to],
  )
  return { text, setText, send, isSending: isPending, error: mutation.error && sentenceOf(mutation.error) }
}

/** A refusal says its own; without an answer nobody knows, and that is said. */
const sentenceOf = (error: { message: string; data?: unknown }): string =>
  error.data
    ? error.message
    : 'The control plane did not answer, so it may have the message already: look above before you send it again.'

const closedBecause = ({ kind, name, machine }: ConversationRow): string | null =>
  kind === 'agent' && machine === null ? `${name} is gone: its machine was revoked.` : null

const noteOn = ({ kind, name, status }: ConversationRow): string | null =>
  kind === 'agent' && status === 'offline'
    ? `${name} is offline: the control plane keeps what you send for up to 7 days.`
    : null

function Head({
  org,
  to,
  conversation,
  onClose,
}: {
  org: string
  to: string
  conversation: ConversationRow | undefined
  onClose: () => void
}) {
  return (
    <header className="flex h-11 shrink-0 items-center gap-2 border-b border-hair pr-3 pl-2 lg:pl-4">
      <Button variant="ghost" size="touch" aria-label="Back to the inbox" className="-ml-1 lg:hidden" onClick={onClose}>
        <ArrowLeft aria-hidden size={16} />
      </Button>
      {conversation?.kind === 'channel' ? (
        <Hash aria-hidden size={14} className="shrink-0 text-fg-3" />
      ) : (
        conversation?.status && <AgentShape status={conversation.status} />
      )}
      <h2 className="shrink-0 font-semibold">{conversation?.name ?? to}</h2>
      {conversation?.status && <span className="text-sm text-fg-3 max-sm:hidden">{conversation.status}</span>}
      {conversation?.machine != null && <span className="mono truncate text-fg-3">{conversation.machine}</span>}
      <span className="flex-1" />
      {conversation?.kind === 'channel' ? (
        <HeadLink href={paths.channels(org, conversation.name)} label="Members and topic">
          <Users aria-hidden size={16} />
        </HeadLink>
      ) : (
        <HeadLink
          href={`${paths.messages(org)}?q=${encodeURIComponent(conversation?.name ?? to)}`}
          label={`Every message of ${conversation?.name ?? to}`}
        >
          <ListTree aria-hidden size={16} />
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
    <Link href={href} aria-label={label} title={label} className={buttonStyles({ variant: 'ghost', size: 'icon' })}>
      {children}
    </Link>
  )
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
