/** How messages stand below each other: days, who goes on speaking, and groups that leave the page together. Pure. */
import type { ConversationMessage } from '#lib/trpc/views.ts'

export type FeedRow = {
  message: ConversationMessage
  /** The first of its day, whose date then stands above it. */
  startsDay: boolean
  /** Goes on where the same sender stopped a moment ago, so that the name need not stand there again. */
  continues: boolean
  /** Its place in what is loaded, from 0. */
  index: number
}
export type FeedGroup = { key: number; rows: FeedRow[] }

/** A sender's messages closer than this stand under one name, ms. */
const TOGETHER_MS = 5 * 60_000
/** Messages that leave and enter the page together. */
const GROUP = 40

/** `dayOf` gives equal values for times of one day of the reader. */
export function feedRows(messages: ConversationMessage[], dayOf: (at: number) => string): FeedRow[] {
  return messages.map((message, index) => {
    const before = messages[index - 1]
    const startsDay = before === undefined || dayOf(before.sentAt) !== dayOf(message.sentAt)
    const continues =
      !startsDay &&
      before.from === message.from &&
      before.isPerson === message.isPerson &&
      message.sentAt - before.sentAt < TOGETHER_MS &&
      message.replyTo === null &&
      message.thread === before.thread
    return { message, startsDay, continues, index }
  })
}

/**
 * Groups that stay the same while messages come at either end: they are counted from `anchor`, the message that was first
 * when the page opened, upwards and downwards.
 */
export function feedGroups(rows: FeedRow[], anchor: string | undefined): FeedGroup[] {
  const at = Math.max(
    0,
    rows.findIndex(({ message }) => message.id === anchor),
  )
  const groups: FeedGroup[] = []
  for (const row of rows) {
    const key = Math.floor((row.index - at) / GROUP)
    const last = groups.at(-1)
    if (last?.key === key) last.rows.push(row)
    else groups.push({ key, rows: [row] })
  }
  return groups
}
