'use client'
import { ReceiptMark } from '../marks/message.tsx'
import { failureSentence } from '../marks/receipt.ts'
import { type Receipts, summaryOf } from './receipts.ts'

const mark = (receipt: Receipts[number]) => ({ ...receipt, path: null, tookMs: null })

/** How far what a person wrote came; in a channel for whoever is furthest behind, with how many have it. */
export function ReceiptLine({ receipts }: { receipts: Receipts }) {
  const summary = summaryOf(receipts)
  if (!summary) return <span className="text-sm text-fg-3">to no agent</span>
  if (receipts.length === 1) return <ReceiptMark message={mark(summary.least)} />
  return (
    <details
      className="relative"
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !event.currentTarget.open) return
        event.stopPropagation()
        event.currentTarget.open = false
      }}
    >
      <summary
        className="flex cursor-pointer list-none items-center gap-1.5 [&::-webkit-details-marker]:hidden"
        title="How far it came to each member"
      >
        <ReceiptMark message={mark(summary.least)} />
        <span className="text-sm text-fg-3">
          {summary.reached}/{receipts.length}
          <span className="sr-only"> have it</span>
        </span>
      </summary>
      <ul className="absolute right-0 bottom-full z-10 mb-1 grid max-h-64 min-w-44 gap-1 overflow-y-auto rounded-3 bg-raised p-2.5 shadow-overlay">
        {receipts.map((receipt) => (
          <li key={receipt.to} className="flex items-center justify-between gap-4">
            <span className="font-medium">{receipt.to}</span>
            <ReceiptMark message={mark(receipt)} />
          </li>
        ))}
      </ul>
    </details>
  )
}

/** What went wrong, for whom and why, and the way to try again. */
export function Failures({ receipts, onAgain }: { receipts: Receipts; onAgain: (() => void) | null }) {
  const failed = summaryOf(receipts)?.failed ?? []
  if (failed.length === 0) return null
  return (
    <div className="mt-0.5 text-sm text-fail">
      {failed.map(({ to, reason }) => (
        <p key={to}>
          {to} did not get it. {failureSentence(reason)}
        </p>
      ))}
      {onAgain && (
        <button type="button" onClick={onAgain} className="font-medium text-accent hover:underline">
          {receipts.length > 1 ? `Send again, to all ${receipts.length}` : 'Send again'}
        </button>
      )}
    </div>
  )
}
