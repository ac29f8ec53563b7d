import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MessageRow } from '../core/turn.ts'
import { openStore, type Store } from './store.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const start = { wallMs: 1_000 * DAY, uptimeMs: DAY }
let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-relay-clock-'))
  path = join(folder, 'relay.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const row = (n: number, expiresAt: number): MessageRow => ({
  n,
  id: `00000000-0000-7000-8000-00000000000${n}`,
  way: 'out',
  state: 'queued',
  fromAgent: 'Alice',
  fromMachine: 'a',
  fromPerson: null,
  fromProject: null,
  toAgent: 'Bob',
  toMachine: 'b',
  project: null,
  via: null,
  thread: null,
  replyTo: null,
  stream: 'alice>bob@b',
  seq: n - 1,
  trace: null,
  ts: 0,
  at: start.wallMs,
  expiresAt,
  body: 'text',
  sizeBytes: 4,
  reason: null,
  retryOf: null,
})

const remaining = (store: Store, now: number): number[] =>
  store
    .recover({ entropy: { id: () => '', unit: () => 0 }, hostName: 'host', userName: 'me' })
    .outStreams.get('alice>bob@b')
    ?.entries.map((entry) => entry.expiresAt - now) ?? []

test.each([
  ['an ordinary restart', { wallMs: start.wallMs + 3 * HOUR, uptimeMs: start.uptimeMs + 3 * HOUR }],
  ['the clock set a year ahead meanwhile', { wallMs: start.wallMs + 365 * DAY, uptimeMs: start.uptimeMs + 3 * HOUR }],
  ['the clock set a year back meanwhile', { wallMs: start.wallMs - 365 * DAY, uptimeMs: start.uptimeMs + 3 * HOUR }],
  ['three hours off', { wallMs: start.wallMs + 3 * HOUR, uptimeMs: 60_000 }],
])('after %s a message of five hours has two left, however often the daemon starts', async (_, reading) => {
  let store = openStore(path)
  store.startClock(start)
  store.commit([{ op: 'message', row: row(1, start.wallMs + 5 * HOUR) }])
  for (let i = 0; i < 3; i++) {
    await store.close()
    store = openStore(path)
    store.startClock(reading)
    expect(remaining(store, reading.wallMs)).toEqual([2 * HOUR])
  }
  await store.close()
})

test('a later mark counts what passed until it by the run itself', async () => {
  const first = openStore(path)
  first.startClock(start)
  first.commit([{ op: 'message', row: row(1, start.wallMs + 5 * HOUR) }])
  // The wall clock was set a year ahead while the daemon ran; then the machine was off for an hour.
  first.markClock({ nowMs: start.wallMs + HOUR, wallMs: start.wallMs + 365 * DAY, uptimeMs: start.uptimeMs + HOUR })
  await first.close()
  const second = openStore(path)
  const reading = { wallMs: start.wallMs + 365 * DAY + HOUR, uptimeMs: 60_000 }
  second.startClock(reading)
  expect(remaining(second, reading.wallMs)).toEqual([3 * HOUR])
  await second.close()
})

test.each([
  ['an ordinary restart', { wallMs: start.wallMs + 3 * HOUR, uptimeMs: start.uptimeMs + 3 * HOUR }],
  ['three hours off', { wallMs: start.wallMs + 3 * HOUR, uptimeMs: 60_000 }],
  ['a boot that has lasted longer than the one before', { wallMs: start.wallMs + 3 * HOUR, uptimeMs: start.uptimeMs }],
  ['the clock set a year back meanwhile', { wallMs: start.wallMs - 365 * DAY, uptimeMs: start.uptimeMs + 3 * HOUR }],
])('after %s a roster is as old as it is, however often the daemon starts', async (_, reading) => {
  let store = openStore(path)
  store.startClock(start)
  const value = JSON.stringify({ at: start.wallMs + HOUR, lagMs: 40 })
  store.commit([{ op: 'meta', key: 'freshness', value }])
  for (let i = 0; i < 3; i++) {
    await store.close()
    store = openStore(path)
    store.startClock(reading)
    const { freshness } = store.recover({ entropy: { id: () => '', unit: () => 0 }, hostName: 'host', userName: 'me' })
    expect(reading.wallMs - (freshness.at ?? 0)).toBe(2 * HOUR)
  }
  await store.close()
})
