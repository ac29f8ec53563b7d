import { describe, expect, it } from 'vitest'
import type { ConversationMessage } from '#lib/trpc/views.ts'
import { feedGroups, feedRows } from './feed-rows.ts'

const MINUTE = 60_000
const DAY = 1440 * MINUTE
const message = (at: number, more: Partial<ConversationMessage> = {}): ConversationMessage => ({
  id: `m${at}`,
  from: 'Bob',
  isPerson: false,
  isMine: false,
  machine: 'bob-mbp',
  body: 'x',
  thread: null,
  replyTo: null,
  sentAt: at,
  receipts: null,
  ...more,
})
const dayOf = (at: number) => String(Math.floor(at / DAY))

describe('feedRows', () => {
  it('puts the date above the first message of a day, and one name above what somebody says at once', () => {
    const rows = feedRows(
      [
        message(DAY - 2 * MINUTE),
        message(DAY - MINUTE),
        message(DAY + MINUTE),
        message(DAY + 2 * MINUTE, { from: 'Ann' }),
        message(DAY + 9 * MINUTE, { from: 'Ann' }),
        message(DAY + 10 * MINUTE, { from: 'Ann', replyTo: 'm1' }),
        message(DAY + 11 * MINUTE, { from: 'Ann' }),
      ],
      dayOf,
    )
    expect(rows.map(({ startsDay }) => startsDay)).toEqual([true, false, true, false, false, false, false])
    expect(rows.map(({ continues }) => continues)).toEqual([false, true, false, false, false, false, true])
  })

  it('never takes a person for the agent of the same name', () => {
    const rows = feedRows([message(1, { from: 'bob', isPerson: true }), message(2, { from: 'bob' })], dayOf)
    expect(rows[1]?.continues).toBe(false)
  })
})

describe('feedGroups', () => {
  const rowsOf = (from: number, to: number) =>
    feedRows(
      Array.from({ length: to - from }, (_, index) => message(from + index)),
      dayOf,
    )
  const keysById = (from: number, to: number) =>
    new Map(
      feedGroups(rowsOf(from, to), 'm100').flatMap(({ key, rows }) => rows.map(({ message }) => [message.id, key])),
    )

  it('keeps every message in its group while others come before and after', () => {
    const first = keysById(100, 150)
    const grown = keysById(10, 400)
    for (const [id, key] of first) expect(grown.get(id)).toBe(key)
    expect(new Set(grown.values()).size).toBe(11)
    expect([...grown.values()]).toEqual([...grown.values()].sort((a, b) => a - b))
  })
})
