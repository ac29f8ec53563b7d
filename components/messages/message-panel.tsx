'use client'
import { useQuery } from '@tanstack/react-query'
import { FileLock2, X } from 'lucide-react'
import Link from 'next/link'
import { paths } from '#lib/paths.ts'
import type { MessageDetail, OrgArchive } from '#lib/trpc/views.ts'
import { bytes, shortId } from '../format/format.ts'
import { Age, Clock } from '../format/time.tsx'
import { keyOf } from '../inbox/address.ts'
import { Body as Text } from '../inbox/body.tsx'
import { FromTo, PathMark, ReceiptMark } from '../marks/message.tsx'
import { useTRPC } from '../shell/trpc.tsx'
import { Kbd } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { Failed } from '../ui/empty.tsx'
import { BoneRows } from '../ui/skeleton.tsx'
import { TraceView } from './trace-view.tsx'
import { isAgent, titleOf, whyOf } from './way.ts'

/** One message: how far it came, which way and why, and where its body can be read. */
export function MessagePanel({ org, id, onClose }: { org: string; id: string; onClose: () => void }) {
  const detail = useQuery(useTRPC().messages.get.queryOptions({ org, id }))
  const message = detail.data
  return (
    <section
      aria-label="Message"
      className="absolute inset-0 z-20 flex min-h-0 flex-col overflow-y-auto bg-surface-1 lg:static lg:border-l lg:border-line"
    >
      <header className="grid gap-1 border-b border-hair px-4 py-2.5">
        <div className="flex items-center gap-2">
          <h2 className="flex min-w-0 text-lg font-semibold">
            {message ? <FromTo message={message} className="[&_*]:font-semibold" /> : 'Message'}
          </h2>
          {message && <ReceiptMark message={message} />}
          <span className="flex-1" />
          <Kbd title="Previous message" className="max-lg:hidden">
            K
          </Kbd>
          <Kbd title="Next message" className="max-lg:hidden">
            J
          </Kbd>
          <Button variant="ghost" size="icon" aria-label="Close the message" className="-mr-1.5" onClick={onClose}>
            <X aria-hidden size={16} />
          </Button>
        </div>
        <div className="flex items-center gap-1 text-sm text-fg-2">
          <span className="mono" title={id}>
            {shortId(id)}
          </span>
          <CopyButton text={id} label="Copy the id" isSmall />
          <span className="flex-1" />
          {message && (
            <span className="truncate">
              {bytes(message.sizeBytes)}, <Clock at={message.sentAt} withMs />
              {message.thread !== null && <>, {message.thread}</>}
            </span>
          )}
        </div>
      </header>
      {detail.isPending && <BoneRows rows={6} />}
      {detail.isError && !message && <Failed error={detail.error} onRetry={() => detail.refetch()} />}
      {message && (
        <>
          <Way org={org} message={message} />
          <TraceView message={message} />
          <Body org={org} message={message} />
        </>
      )}
    </section>
  )
}

function Way({ org, message }: { org: string; message: MessageDetail }) {
  return (
    <section className="border-b border-hair px-4 pt-2.5 pb-3" aria-label="Way">
      <div className="mb-1 flex items-center gap-2">
        <h3 className="font-semibold">{titleOf(message)}</h3>
        <span className="flex-1" />
        <PathMark message={message} />
      </div>
      <p className="text-fg-2">{whyOf(message)}</p>
      {(message.state === 'queued' || message.state === 'stored') && (
        <p className="text-warn">
          For {message.to}, since <Clock at={message.sentAt} />, <Age at={message.sentAt} />.
        </p>
      )}
      <dl className="mt-1.5 grid grid-cols-[66px_minmax(0,1fr)] gap-x-2 gap-y-0.5 text-sm">
        <dt className="text-fg-3">from</dt>
        <dd className="flex gap-3">
          <End org={org} party={message.from} machine={message.fromMachine} />
        </dd>
        <dt className="text-fg-3">to</dt>
        <dd className="flex gap-3">
          <End org={org} party={message.to} machine={message.toMachine} />
        </dd>
        {message.via !== null && (
          <>
            <dt className="text-fg-3">address</dt>
            <dd className="mono truncate text-fg-2">{message.via}</dd>
          </>
        )}
      </dl>
    </section>
  )
}

/** One end of a message, and the way to write there. A person is written to from a terminal. */
function End({ org, party, machine }: { org: string; party: string; machine: string }) {
  const isChannel = party.startsWith('#')
  const key = keyOf(isChannel ? { kind: 'channel', name: party.slice(1) } : { kind: 'agent', name: party })
  return (
    <>
      <span className="mono min-w-0 flex-1 truncate text-fg-2">
        {isAgent(party) ? `${party} on ${machine}` : party}
      </span>
      {!party.startsWith('@') && (
        <Link href={paths.inbox(org, key)} className="shrink-0 font-medium text-accent hover:underline">
          {isChannel ? `Open ${party}` : `Write to ${party}`}
        </Link>
      )}
    </>
  )
}

function Body({ org, message }: { org: string; message: MessageDetail }) {
  const archive = useQuery(useTRPC().orgs.get.queryOptions({ org })).data
  if (!isAgent(message.to) || !isAgent(message.from) || message.via?.startsWith('#'))
    return <InInbox org={org} message={message} />
  if (message.body !== null) return <Archived text={message.body} />
  const command = `agent-relay read ${message.id}`
  return (
    <section className="px-4 py-3" aria-label="Body">
      <div className="grid grid-cols-[16px_minmax(0,1fr)] gap-x-2.5 gap-y-1.5 rounded-2 border border-hair bg-surface-2 px-3 py-2.5">
        <FileLock2 aria-hidden size={16} className="mt-0.5 text-fg-2" />
        <div>
          <p className="font-medium">The body is on {endsOf(message)}</p>
          <p className="text-sm text-fg-2">{archive && whyNotHere(archive, message)} There, this shows it:</p>
        </div>
        <span className="col-start-2 inline-flex w-fit max-w-full items-center rounded-1 bg-surface-3 pl-2">
          <code className="mono truncate">{command}</code>
          <CopyButton text={command} label="Copy the command" isSmall />
        </span>
      </div>
    </section>
  )
}

function Archived({ text }: { text: string }) {
  return (
    <section className="px-4 py-3" aria-label="Body">
      <h3 className="mb-1.5 font-semibold">Body</h3>
      <div className="rounded-2 border border-hair bg-surface-2 px-3 py-2.5">
        <Text text={text} onUnfold={() => undefined} />
      </div>
      <p className="mt-1.5 text-sm text-fg-3">From the archive of the organization, for 30 days.</p>
    </section>
  )
}

function whyNotHere({ archiveSince }: OrgArchive, { sentAt, fromMachine }: MessageDetail): string {
  if (archiveSince === null) return 'The archive is off, so the dashboard has headers only.'
  if (sentAt < archiveSince) return 'It was sent before the archive was on.'
  return `The archive has not got it from ${fromMachine}.`
}

/** The sender's machine keeps what it sent, the recipient's what it got. */
const endsOf = ({ fromMachine, toMachine, tookMs }: MessageDetail): string =>
  fromMachine === toMachine || tookMs === null ? fromMachine : `${fromMachine} and ${toMachine}`

/** What goes to people and channels, also each agent's copy, or comes from a person, is kept at the control plane and read in the inbox. */
function InInbox({ org, message: { from, to, via } }: { org: string; message: MessageDetail }) {
  const me = useQuery(useTRPC().me.get.queryOptions()).data?.user.handle
  const channel = [to, via ?? ''].find((party) => party.startsWith('#'))
  const [person, other] = isAgent(from) ? [to, from] : [from, to]
  return (
    <section className="px-4 py-3" aria-label="Body">
      <div className="grid gap-1 rounded-2 border border-hair bg-surface-2 px-3 py-2.5">
        <p className="font-medium">The body is in {channel ?? 'an inbox'}</p>
        {channel === undefined ? (
          <p className="text-sm text-fg-2">
            Only {person} can read it
            {person === `@${me}` && (
              <>
                , in{' '}
                <Link
                  href={paths.inbox(org, keyOf({ kind: 'agent', name: other }))}
                  className="font-medium text-accent hover:underline"
                >
                  your conversation with {other}
                </Link>
              </>
            )}
            .
          </p>
        ) : (
          <p className="text-sm text-fg-2">
            Every member of the organization can read it:{' '}
            <Link
              href={paths.inbox(org, keyOf({ kind: 'channel', name: channel.slice(1) }))}
              className="font-medium text-accent hover:underline"
            >
              the conversation in {channel}
            </Link>
          </p>
        )}
      </div>
    </section>
  )
}
