/** How a message's receipt reads: how far it came, which word, which colour. Pure. */
import type { MessageRow } from '#lib/trpc/views.ts'

type Receipt = Pick<MessageRow, 'state' | 'reason' | 'path' | 'tookMs'>

/** Marks filled: stored, accepted, injected, seen. A message that did not pass the mailbox counts "stored" as passed. */
const filled = { queued: 0, stored: 1, accepted: 2, injected: 3, seen: 4 } as const

export type ReceiptReading = {
  word: string
  /** Whether something went wrong, still moves, is held up, or is done. */
  tone: 'fail' | 'warn' | 'plain' | 'ok'
  filled: number
  /** Which mark has the cross, when it failed. */
  crossAt: number | null
  title: string
}

const failureWords: Record<string, string> = {
  EXPIRED: 'expired',
  KEY_REVOKED: 'revoked',
  POLICY_REFUSED: 'refused',
  FENCED: 'fenced',
}

/** The error code at the start of a reason, when there is one. */
const codeOf = (reason: string | null): string | null => /^[A-Z][A-Z_]+/.exec(reason ?? '')?.[0] ?? null

/** Machines say why in a sentence where they know more than the code. */
const hasExpired = (reason: string | null): boolean => /^its time to live ended/i.test(reason ?? '')

export function readReceipt(message: Receipt): ReceiptReading {
  if (message.state === 'failed') {
    // An accepted message has a time; one that was only stored has its path; else nothing had moved.
    const passed = message.tookMs !== null ? 2 : message.path === 'mailbox' ? 1 : 0
    const word = failureWords[codeOf(message.reason) ?? ''] ?? (hasExpired(message.reason) ? 'expired' : 'failed')
    return { word, tone: 'fail', filled: passed, crossAt: passed, title: message.reason ?? 'no reason was given' }
  }
  const tone =
    message.state === 'seen' ? 'ok' : message.state === 'queued' || message.state === 'stored' ? 'warn' : 'plain'
  return { word: message.state, tone, filled: filled[message.state], crossAt: null, title: meaning[message.state] }
}

const meaning = {
  queued: 'On the disk of the sender’s machine; nothing else has it yet',
  stored: 'The control plane keeps it until the recipient’s machine is back',
  accepted: 'In the durable inbox of the recipient’s machine; its agent has not got it yet',
  injected: 'Handed to the agent, on evidence',
  seen: 'The agent has read it',
} as const

const sentences: Record<string, string> = {
  EXPIRED: 'Expired: its time to live ended before the recipient could take it.',
  POLICY_REFUSED: 'Refused by policy.',
  FENCED: 'Fenced: the name runs under a newer epoch elsewhere.',
  KEY_REVOKED: 'The machine was revoked.',
  UNKNOWN_ADDRESS: 'No agent with this name.',
  MAILBOX_FULL: 'The recipient’s mailbox is full.',
  NOT_FOUND: 'The recipient no longer exists.',
}

/** One line on why a message failed; the sender's own words when the code alone says too little. */
export function failureSentence(reason: string | null): string {
  if (reason === null || reason === '') return 'The sender gave no reason.'
  return sentences[reason] ?? (codeOf(reason) === reason ? `Refused with ${reason}.` : asSentence(reason))
}

const asSentence = (text: string): string => {
  const begun = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`
  return /[.!?]$/.test(begun) ? begun : `${begun}.`
}
