import { type Envelope, MAX_BATCH, MAX_BATCH_BYTES, type PeerFrames } from '@agent-relay/protocol'
import { afterEach, expect, test, vi } from 'vitest'
import { createPeerMail, piecesOf } from './peer-mail.ts'

afterEach(() => void vi.useRealTimers())

const envelope = (seq: number, body = 'hello'): Envelope => ({
  ...{ v: 1, id: `0190a000-0000-7000-8000-${String(seq).padStart(12, '0')}`, org: 'o', ttlMs: 1, priority: 1, ts: 0 },
  ...{ from: { machine: 'a', agent: 'A', epoch: 1 }, to: { machine: 'b', agent: 'B' } },
  ...{ stream: 's', outboxEpoch: 'e', seq, trace: 't', body },
})

function link() {
  const sent: { event: string; frame: PeerFrames[keyof PeerFrames] }[] = []
  const self = {
    buffered: 0,
    sent,
    seqs: () => sent.flatMap(({ frame }) => ('envelopes' in frame ? frame.envelopes.map(({ seq }) => seq) : [])),
    bufferedBytes: () => self.buffered,
    send: ((event: string, frame: PeerFrames[keyof PeerFrames]) => void sent.push({ event, frame })) as never,
  }
  return self
}

test('frames keep the order, the count and the bytes of a batch', () => {
  const many = piecesOf(Array.from({ length: 2 * MAX_BATCH + 1 }, (_, i) => envelope(i)))
  expect(many.map(({ envelopes }) => envelopes.length)).toEqual([MAX_BATCH, MAX_BATCH, 1])
  const large = piecesOf(Array.from({ length: 40 }, (_, i) => envelope(i, 'é"'.repeat(50_000))))
  for (const { envelopes, sizeBytes } of large) {
    expect(sizeBytes).toBeLessThanOrEqual(MAX_BATCH_BYTES)
    expect(Buffer.byteLength(JSON.stringify({ envelopes }))).toBeLessThanOrEqual(sizeBytes + 100)
  }
  expect(large.flatMap(({ envelopes }) => envelopes.map(({ seq }) => seq))).toEqual(
    Array.from({ length: 40 }, (_, i) => i),
  )
})

test('a link that does not take more is waited for, in order, and nothing but acknowledgements passes by', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const to = link()
  const mail = createPeerMail(to)
  to.buffered = 8 * 1024 * 1024
  mail.send([envelope(0)])
  mail.send([envelope(1)])
  expect(to.sent).toEqual([])
  mail.giveBack({ acks: [], gaps: [], receipts: [] })
  await new Promise((resolve) => setImmediate(resolve))
  expect(to.sent.map(({ event }) => event)).toEqual(['PEER_ACK'])
  vi.advanceTimersByTime(100)
  expect(to.seqs()).toEqual([])
  to.buffered = 0
  vi.advanceTimersByTime(10)
  expect(to.seqs()).toEqual([0, 1])
})

test('what does not fit is left to the core, and a stopped link is given nothing', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const to = link()
  const mail = createPeerMail(to)
  to.buffered = 8 * 1024 * 1024
  for (let i = 0; i < 200; i++) mail.send([envelope(i, 'x'.repeat(250_000))])
  to.buffered = 0
  vi.advanceTimersByTime(10)
  const taken = to.seqs()
  expect(taken.length).toBeGreaterThan(50)
  expect(taken.length).toBeLessThan(70)
  expect(taken).toEqual(Array.from({ length: taken.length }, (_, i) => i))
  to.buffered = 8 * 1024 * 1024
  mail.send([envelope(1_000)])
  mail.stop()
  to.buffered = 0
  vi.advanceTimersByTime(1_000)
  expect(to.seqs()).toEqual(taken)
})
