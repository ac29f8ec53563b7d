import { describe, expect, it } from 'vitest'
import type { ConversationMessage, ConversationPage } from '#lib/trpc/views.ts'
import { joins, type Loaded, unfinished, withAgain, withNewest, withOlder } from './loaded.ts'

const message = (n: number, more: Partial<ConversationMessage> = {}): ConversationMessage => ({
  id: `m${n}`,
  from: 'Bob',
  isPerson: false,
  isMine: false,
  machine: 'bob-mbp',
  body: `body ${n}`,
  thread: null,
  replyTo: null,
  sentAt: n,
  receipts: null,
  ...more,
})
const mine = (n: number, state: 'queued' | 'stored' | 'accepted' | 'injected' | 'failed') =>
  message(n, { isMine: true, isPerson: true, receipts: [{ to: 'Bob', state, reason: null }] })

const conversation = {
  key: 'agent:bob',
  kind: 'agent',
  name: 'Bob',
  machine: 'bob-mbp',
  status: 'idle',
  lastAt: 9,
  lastFrom: 'Bob',
  preview: '',
  unread: 0,
} as const
const page = (rows: ConversationMessage[], nextCursor: string | null): ConversationPage => ({
  conversation,
  rows,
  nextCursor,
})
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => message(from + index))
const numbers = ({ rows }: Loaded) => rows.map(({ sentAt }) => sentAt)

describe('what is loaded of a conversation', () => {
  it('starts as the newest page and grows upwards without repeating a message', () => {
    const first = withNewest(undefined, page(range(6, 9), 'before-6'))
    const grown = withOlder(first, 'before-6', page(range(3, 7), 'before-3'))
    expect(numbers(grown)).toEqual([3, 4, 5, 6, 7, 8])
    expect(grown.nextCursor).toBe('before-3')
    const all = withOlder(grown, 'before-3', page(range(1, 3), null))
    expect(numbers(all)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(all.nextCursor).toBeNull()
  })

  it('takes new messages at the end and keeps what is older, with the way further up', () => {
    const held = withOlder(page(range(6, 9), 'before-6'), 'before-6', page(range(3, 6), 'before-3'))
    const fresh = page([message(7), message(8, { body: 'changed' }), message(9), message(10)], 'before-7')
    expect(joins(held, fresh)).toBe(true)
    const now = withNewest(held, fresh)
    expect(numbers(now)).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
    expect(now.rows[5]?.body).toBe('changed')
    expect(now.nextCursor).toBe('before-3')
  })

  it('says when messages are missing in between, and starts anew rather than showing a gap', () => {
    const held = page(range(1, 4), null)
    const fresh = page(range(20, 23), 'before-20')
    expect(joins(held, fresh)).toBe(false)
    expect(withNewest(held, fresh)).toEqual(fresh)
    const filled = withOlder(fresh, 'before-20', page(range(3, 20), 'before-3'))
    expect(joins(held, filled)).toBe(true)
    expect(numbers(withNewest(held, filled))).toEqual([...range(1, 23)].map(({ sentAt }) => sentAt))
  })

  it('knows which older pages hold a message that is still under way', () => {
    const held = [
      ['c3', page([mine(7, 'stored'), message(8)], 'c2')],
      ['c2', page([mine(5, 'injected'), mine(6, 'failed')], 'c1')],
      ['c1', page([mine(3, 'queued'), message(4)], null)],
    ] as const
    const all = held.reduce<Loaded>((sum, [cursor, older]) => withOlder(sum, cursor, older), page(range(9, 12), 'c3'))
    expect(unfinished(all)).toEqual(['c3', 'c1'])
    const again = withAgain(all, page([mine(7, 'injected'), message(8)], 'c2'))
    expect(unfinished(again)).toEqual(['c1'])
    expect(numbers(again)).toEqual(numbers(all))
  })
})
