import { describe, expect, it } from 'vitest'
import type { MessageDetail } from '#lib/trpc/views.ts'
import { readTrace, traceAsText } from './trace.ts'

const now = 1_700_000_000_000
const message: MessageDetail = {
  id: '01a2089b-336e-7c1e-9b02-4fd39f3a1c7e',
  from: 'Lead',
  fromMachine: 'alice-mbp',
  to: 'Utils',
  toMachine: 'carol-lt',
  via: null,
  thread: null,
  sizeBytes: 412,
  state: 'injected',
  reason: null,
  path: 'relay',
  tookMs: 1426,
  sentAt: now - 10_000,
  updatedAt: now - 9_000,
  body: null,
  hops: [
    { kind: 'queued', where: 'alice-mbp', atMs: 2 },
    { kind: 'retry', where: 'alice-mbp', atMs: 1362, path: 'relay', attempt: 1, note: 'socket closed' },
    { kind: 'sent', where: 'alice-mbp', atMs: 1362, path: 'relay', attempt: 2 },
    { kind: 'carried', where: 'relay', atMs: 1395 },
    { kind: 'accepted', where: 'carol-lt', atMs: 1426 },
    { kind: 'injected', where: 'carol-lt' },
  ],
}

describe('readTrace', () => {
  it('puts each hop after the one before, on one axis that ends at a short number', () => {
    const trace = readTrace(message, now)
    expect(trace.axisMs).toBe(2000)
    expect(trace.ticks).toEqual(['0', '0.67', '1.3', '2 s'])
    expect(trace.rows.map((row) => [row.title, row.kind])).toEqual([
      ['On disk', 'work'],
      ['Relay, attempt 1', 'bad'],
      ['Relay, attempt 2', 'work'],
      ['Carried by the relay', 'wire'],
      ['Accepted', 'wire'],
      ['Injected', 'work'],
      ['Not seen yet', 'stuck'],
    ])
    expect(trace.rows[1]).toMatchObject({ bar: { fromMs: 2, toMs: 1362 }, took: '1.36 s', at: '+1.362 s' })
    expect(trace.summary).toBe('1.43 s to accepted, 2 attempts')
  })

  it('draws no bar for a time that only the other clock knows', () => {
    expect(readTrace(message, now).rows[5]).toMatchObject({ bar: null, took: '–', at: 'other clock' })
  })

  it('says what a message under way waits for and how long already, and nothing after the end', () => {
    const stored = readTrace({ ...message, state: 'stored', tookMs: null }, now)
    expect(stored.rows.at(-1)).toMatchObject({ where: 'waits until carol-lt is back', took: '9 s' })
    expect(readTrace({ ...message, state: 'seen' }, now).rows.at(-1)?.title).toBe('Injected')
  })

  it('has an axis for a message without hops', () => {
    const trace = readTrace({ ...message, state: 'seen', hops: [] }, now)
    expect(trace.axisMs).toBeGreaterThan(0)
    expect(trace.rows).toEqual([])
  })

  it('can be pasted as text', () => {
    expect(traceAsText(message, now)).toContain('Relay, attempt 1  (alice-mbp; socket closed)')
  })
})
