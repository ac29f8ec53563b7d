/** How the receipts of one message read together: one recipient, or all of a channel's. Pure. */
import type { ConversationMessage } from '#lib/trpc/views.ts'

export type Receipts = NonNullable<ConversationMessage['receipts']>

const order = { failed: -1, queued: 0, stored: 1, accepted: 2, injected: 3, seen: 4 } as const

/** The recipient who is furthest behind stands for all; a failure is never hidden behind a success. */
export function summaryOf(receipts: Receipts): { least: Receipts[number]; reached: number; failed: Receipts } | null {
  const [first, ...rest] = receipts
  if (!first) return null
  return {
    least: rest.reduce((least, each) => (order[each.state] < order[least.state] ? each : least), first),
    reached: receipts.filter(({ state }) => order[state] >= order.injected).length,
    failed: receipts.filter(({ state }) => state === 'failed'),
  }
}
