import type { MessageRow } from '#lib/trpc/views.ts'
import { failureSentence } from '../marks/receipt.ts'

type Trouble = Pick<MessageRow, 'state' | 'reason' | 'fromMachine' | 'toMachine'>

/** For lists: what a message that has not arrived waits for, or why it will not; null when it arrived. */
export function troubleOf(message: Trouble): string | null {
  if (message.state === 'failed') return failureSentence(message.reason)
  if (message.state === 'queued') return `on the disk of ${message.fromMachine}`
  if (message.state === 'stored') return `waits for ${message.toMachine}`
  return null
}
