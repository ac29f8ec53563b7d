import { Ban, ClockAlert } from 'lucide-react'
import Link from 'next/link'
import { paths } from '#lib/paths.ts'
import type { MessageRow, OverviewView } from '#lib/trpc/views.ts'
import { count, duration } from '../format/format.ts'
import { Age, Clock } from '../format/time.tsx'
import { FromTo, PathMark, ReceiptMark } from '../marks/message.tsx'
import { failureSentence } from '../marks/receipt.ts'
import { Badge } from '../ui/badge.tsx'
import { Card, CardHead } from '../ui/card.tsx'

/** The latest messages, as they come. */
export function Latest({ messages, slug }: { messages: MessageRow[]; slug: string }) {
  return (
    <Card aria-label="Latest messages" className="shrink-0">
      <CardHead title="Latest messages">
        <Link href={paths.messages(slug)} className="text-sm font-medium text-accent hover:underline">
          All
        </Link>
      </CardHead>
      {messages.length === 0 && <p className="px-3 py-3 text-fg-3">No message yet.</p>}
      <ul>
        {messages.map((message) => (
          <li key={message.id} className="border-b border-hair last:border-b-0">
            <Link
              href={paths.messages(slug, message.id)}
              className="grid h-[30px] grid-cols-[72px_minmax(0,1fr)_104px] items-center gap-2 px-3 hover:bg-surface-3 sm:grid-cols-[72px_minmax(0,1fr)_104px_72px_104px]"
            >
              <Clock at={message.sentAt} className="mono text-fg-3" />
              <FromTo message={message} />
              <span className="hidden sm:block">
                <PathMark message={message} />
              </span>
              <span className="hidden text-right text-fg-2 sm:block">
                {message.tookMs === null ? '–' : duration(message.tookMs)}
              </span>
              <ReceiptMark message={message} />
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** What failed in the last 24 hours with its reason, and what waits for whom. */
export function Trouble({ view, slug }: { view: OverviewView; slug: string }) {
  const { failures, waitingByAgent, figures } = view
  return (
    <Card aria-label="Failures and waiting messages" className="flex flex-col lg:min-h-0">
      <CardHead title="Recent failures">
        <Badge>24 h</Badge>
        {failures.length > 0 && (
          <Link
            href={`${paths.messages(slug)}?show=failed`}
            className="text-sm font-medium text-accent hover:underline"
          >
            All
          </Link>
        )}
      </CardHead>
      <ul className="min-h-16 flex-1 overflow-y-auto">
        {failures.length === 0 && <li className="px-3 py-2.5 text-fg-3">Nothing failed.</li>}
        {failures.map((message) => (
          <li key={message.id} className="border-b border-hair last:border-b-0">
            <Link
              href={paths.messages(slug, message.id)}
              className="grid grid-cols-[16px_minmax(0,1fr)_auto] gap-x-2 px-3 py-[7px] hover:bg-surface-3"
            >
              {message.reason?.startsWith('EXPIRED') ? (
                <ClockAlert aria-hidden size={14} className="mt-[3px] text-fail" />
              ) : (
                <Ban aria-hidden size={14} className="mt-[3px] text-fail" />
              )}
              <FromTo message={message} />
              <Clock at={message.sentAt} className="mt-0.5 text-sm text-fg-3" />
              <span className="col-span-2 col-start-2 mt-px text-sm text-fg-2">{failureSentence(message.reason)}</span>
            </Link>
          </li>
        ))}
      </ul>
      <CardHead title="Waiting" className="border-t">
        <Badge>{count(figures.waiting)}</Badge>
      </CardHead>
      <ul className="max-h-40 overflow-y-auto">
        {waitingByAgent.length === 0 && <li className="px-3 py-2.5 text-fg-3">Nothing waits.</li>}
        {waitingByAgent.map((each) => (
          <li
            key={`${each.agent} ${each.machine}`}
            className="flex h-[30px] items-center gap-2 border-b border-hair px-3 last:border-b-0"
          >
            <span className="truncate font-medium">{each.agent}</span>
            <span className="mono truncate text-fg-3">{each.machine}</span>
            <span className="ml-auto shrink-0 text-fg-2">
              {count(each.count)}, oldest <Age at={each.oldestAt} />
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}
