import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DAY_MS } from '@agent-relay/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MessageRow, Op } from '../core/turn.ts'
import { openStore } from './store.ts'

const NOW = 100 * DAY_MS
const KEEP_MS = 2 * DAY_MS
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relay-purge-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const id = (n: number): string => `0199a000-0000-7000-8000-${String(n).padStart(12, '0')}`
/** A message of so many days ago; it waits for its agent until something is done with it. */
const message = (n: number, days: number, more: Partial<MessageRow> = {}): Op => ({
  op: 'message',
  row: {
    n,
    id: id(n),
    way: 'local',
    state: 'accepted',
    fromAgent: 'Alice',
    fromMachine: 'here',
    fromPerson: null,
    fromProject: null,
    toAgent: 'Bob',
    toMachine: 'here',
    project: null,
    via: null,
    thread: null,
    replyTo: null,
    stream: null,
    seq: null,
    trace: null,
    ts: 0,
    at: NOW - days * DAY_MS,
    expiresAt: NOW + DAY_MS,
    body: `needle ${n}`,
    sizeBytes: 8,
    reason: null,
    retryOf: null,
    ...more,
  },
})
const seen = (n: number, days: number): Op => ({
  op: 'state',
  n,
  state: 'seen',
  at: NOW - days * DAY_MS,
  isOpen: false,
})
const failed = (n: number, days: number): Op => ({
  op: 'state',
  n,
  state: 'failed',
  at: NOW - days * DAY_MS,
  isOpen: false,
  reason: 'EXPIRED',
})
const left = (store: ReturnType<typeof openStore>) =>
  store.read
    .newest(Number.MAX_SAFE_INTEGER, 10_000)
    .map((row) => row.n)
    .reverse()

test('what is finished and old goes; what is open, dead or owed stays, and so does the newest place', async () => {
  const store = openStore(join(folder, 'relay.db'))
  store.commit([
    message(1, 40),
    seen(1, 40),
    message(2, 40),
    message(3, 40),
    failed(3, 29),
    message(4, 40),
    failed(4, 31),
    message(5, 40, { way: 'in', fromMachine: 'there', stream: 's', seq: 0 }),
    seen(5, 40),
    message(6, 40, { way: 'in', fromMachine: 'there', stream: 's', seq: 1 }),
    seen(6, 40),
    { op: 'owed', n: 5 },
    { op: 'owed', n: 6 },
    { op: 'told', ns: [6] },
    message(7, 1),
    seen(7, 1),
  ])
  while (store.purge(NOW, KEEP_MS));
  // 2 waits for its agent, 3 can be sent again, 5 was not told to the machine that sent it.
  expect(left(store)).toEqual([2, 3, 5, 7])
  store.commit([seen(2, 0), { op: 'dead', n: 3, state: 'dropped', as: null }, { op: 'told', ns: [5] }])
  while (store.purge(NOW + 10 * DAY_MS, KEEP_MS));
  expect(left(store)).toEqual([7])
  await store.close()
})

test('a slice is small, also when the oldest messages are all kept and when texts are large', async () => {
  const store = openStore(join(folder, 'relay.db'))
  const large = 'x'.repeat(200_000)
  store.commit([
    ...Array.from({ length: 1000 }, (_, i) => message(i + 1, 40)),
    ...Array.from({ length: 1000 }, (_, i) => [message(i + 1001, 40), seen(i + 1001, 40)]).flat(),
    ...Array.from({ length: 20 }, (_, i) => [
      message(i + 2001, 40, { body: large, sizeBytes: large.length }),
      seen(i + 2001, 40),
    ]).flat(),
    message(3000, 0),
  ])
  const sizes: number[] = []
  let before = left(store).length
  for (let hasMore = true; hasMore; ) {
    hasMore = store.purge(NOW, KEEP_MS)
    const after = left(store).length
    sizes.push(before - after)
    before = after
  }
  expect(before, 'the thousand that wait, and the newest').toBe(1001)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(200)
  expect(sizes.slice(-4), 'about a megabyte of text at a time').toEqual([6, 6, 6, 2])
  await store.close()
})

test('what was purged is in no search, and leaves the index', async () => {
  const index = join(folder, 'search.db')
  const store = openStore(join(folder, 'relay.db'), {
    index,
    warn(text) {
      throw new Error(text)
    },
  })
  store.commit([
    ...Array.from({ length: 300 }, (_, i) => [message(i + 1, 40), seen(i + 1, 40)]).flat(),
    message(301, 0),
  ])
  const find = async () => {
    const wanted = { phrases: [{ words: ['needle'], isPrefix: false }], parties: [], thread: undefined }
    return (await store.search?.find({ ...wanted, before: Number.MAX_SAFE_INTEGER, limit: 1000 }))?.map(({ n }) => n)
  }
  expect(await find()).toHaveLength(301)
  while (store.purge(NOW, KEEP_MS));
  const indexed = () => {
    const db = new DatabaseSync(index, { readOnly: true })
    const { count } = db.prepare('SELECT count(*) AS count FROM text_docsize').get() as { count: number }
    db.close()
    return count
  }
  await expect.poll(indexed, { timeout: 20_000 }).toBe(1)
  expect(await find()).toEqual([301])
  await store.close()
})
