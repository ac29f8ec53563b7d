import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { State } from '../core/state.ts'
import type { AgentRow, MessageRow, Op } from '../core/turn.ts'
import { openStore } from './store.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relay-salvage-'))
  path = join(folder, 'relay.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

let ids = 0
const id = (n: number): string => `0199a000-0000-7000-8000-${String(n).padStart(12, '0')}`
const facts = { entropy: { id: () => id(900_000 + ids++), unit: () => 0.5 }, hostName: 'here', userName: 'me' }
const stream = 'alice>bob@there'

const agent = (name: string): AgentRow => ({
  name,
  tokenHash: 'x'.repeat(64),
  isPerson: false,
  project: null,
  repository: null,
  model: null,
  client: null,
  capabilities: [],
  epoch: 1,
  claim: 'granted',
  lastSeenAt: null,
  pushedTo: 0,
})
const row = (n: number, more: Partial<MessageRow>): MessageRow => ({
  n,
  id: id(n),
  way: 'out',
  state: 'queued',
  fromAgent: 'Alice',
  fromMachine: 'here',
  fromPerson: null,
  fromProject: null,
  toAgent: 'Bob',
  toMachine: 'there',
  project: null,
  via: null,
  thread: null,
  replyTo: null,
  stream,
  seq: null,
  trace: id(n),
  ts: 0,
  at: 1,
  expiresAt: Date.now() + 1e9,
  body: `text ${n}`,
  sizeBytes: 6,
  reason: null,
  retryOf: null,
  ...more,
})
const sent = (n: number, seq: number): Op => ({ op: 'message', row: row(n, { seq }) })

/** Alice queued 1 to 4 for Bob's machine; 1 and 2 may have left. 5 waits in Alice's inbox; 6 came from there. */
async function written(more: Op[] = []): Promise<void> {
  const store = openStore(path)
  store.commit([
    { op: 'agent', row: agent('Alice') },
    sent(1, 0),
    sent(2, 1),
    sent(3, 2),
    sent(4, 3),
    { op: 'stream', id: stream, machine: 'there', next: 4, sentTo: 2 },
    { op: 'attempt', n: 1, at: 2, attempts: 1, path: 'relay' },
    {
      op: 'message',
      row: row(5, {
        way: 'local',
        state: 'accepted',
        fromAgent: 'Carol',
        toAgent: 'Alice',
        toMachine: 'here',
        stream: null,
      }),
    },
    {
      op: 'message',
      row: row(6, {
        way: 'in',
        state: 'accepted',
        fromAgent: 'Bob',
        fromMachine: 'there',
        toAgent: 'Alice',
        toMachine: 'here',
        stream: 'bob>alice@here',
        seq: 7,
      }),
    },
    { op: 'watermark', machine: 'there', outboxEpoch: 'theirs', stream: 'bob>alice@here', next: 8 },
    ...more,
  ])
  await store.close()
}

/** Breaks the first page of an index. */
function breakIndex(name: 'message_open' | 'message_id'): void {
  const db = new DatabaseSync(path)
  const found = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name) as { rootpage: number }
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, (found.rootpage - 1) * 4096)
  closeSync(file)
}

const bodies = (state: State, store: ReturnType<typeof openStore>) =>
  [...(state.agents.get('alice')?.waiting.values() ?? [])].map((entry) => store.read.message(entry.n)?.body)

test('what was never sent is queued anew, what may have been is failed and told, what waits here waits on', async () => {
  await written()
  // Every start reads it.
  breakIndex('message_open')
  const store = openStore(path)
  const state = store.recover(facts)
  expect(store.damage()).toMatchObject({ kept: 2, requeued: 2, failed: 2 })
  const out = state.outStreams.get(stream)
  expect(out?.entries.map(({ id, seq, attempts }) => ({ id, seq, attempts }))).toEqual([
    { id: id(3), seq: 0, attempts: 0 },
    { id: id(4), seq: 1, attempts: 0 },
  ])
  expect(out).toMatchObject({ nextSeq: 2, sentTo: 0, machine: 'there' })
  expect(store.read.deadLetters('alice', 10).map((letter) => letter.id)).toEqual([id(2), id(1)])
  expect(bodies(state, store)).toEqual([
    'text 5',
    'text 6',
    expect.stringMatching(
      new RegExp(`^Message ${id(1)} to Bob was not delivered: .* may have arrived or not.*dead retry ${id(1)}$`),
    ),
    expect.stringContaining(id(2)),
  ])
  expect(state.inStreams.get('there theirs bob>alice@here')?.next, 'nothing comes twice').toBe(8)
  expect(bodies(store.recover(facts), store), 'and nobody is told twice').toHaveLength(4)
  await store.close()
})

test('an older copy of the file says nothing certain of what was sent since', async () => {
  await written()
  const copy = readFileSync(path)
  const newer = openStore(path)
  newer.commit([sent(7, 4)])
  await newer.close()
  writeFileSync(path, copy)
  const store = openStore(path)
  const state = store.recover(facts)
  expect(store.damage()).toMatchObject({ why: 'its last 1 messages are missing', requeued: 0, failed: 4, kept: 2 })
  expect(state.outStreams.get(stream)).toBeUndefined()
  await store.close()
})

test('a running daemon knows more than its file: of a message without a readable text its sender hears', async () => {
  await written()
  const store = openStore(path)
  const state = store.recover(facts)
  // The text of 4 is in no file any more, and that 3 left is on no disk yet.
  const out = state.outStreams.get(stream)
  if (out !== undefined) out.sentTo = 3
  const file = new DatabaseSync(path)
  file.exec('DELETE FROM message WHERE n IN (4, 5, 6)')
  file.close()
  breakIndex('message_id')
  expect(() => store.read.byId(id(1))).toThrow(expect.objectContaining({ code: 'STORE_BROKEN' }))
  expect(() => store.commit([])).toThrow(expect.objectContaining({ code: 'STORE_BROKEN' }))
  const again = store.recover(facts, state)
  expect(store.damage()).toMatchObject({ kept: 0, requeued: 0, failed: 6 })
  const notices = bodies(again, store)
  for (const lost of [1, 2, 3, 4]) expect(notices.join('\n')).toContain(`Message ${id(lost)} to`)
  expect(notices.find((text) => text?.includes(id(4)))).toContain('its text was lost')
  expect(
    [...again.debts.values()].flatMap((debt) => [...debt.owed.keys()]),
    'the other machine is told as well',
  ).toEqual([id(6)])
  await store.close()
})
