import type { TraceReport } from '@agent-relay/protocol'
import { afterEach, expect, test, vi } from 'vitest'
import { coreMachine } from '../../test/support/core-machine.ts'
import type { Log } from '../log.ts'
import { createArchiver } from './archive.ts'
import type { Engine } from './engine.ts'

afterEach(() => void vi.useRealTimers())

const log: Log = { error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined }

/** Alice's machine with its archiver, over a real store; the seal is played by its text. */
function machine() {
  vi.useFakeTimers()
  const alice = coreMachine()
  const sent: string[][] = []
  const facts = { key: 'a' as string | null | undefined, isUp: true, fails: false }
  const start = () =>
    createArchiver({
      engine: { afterCommit: (then: () => void) => then() } as Engine,
      ...{ store: alice.store, log, isUp: () => facts.isUp },
      sealer: {
        archiveKey: () => facts.key,
        sealArchive: (_, body) => ({ by: 'B'.repeat(11), to: 'T'.repeat(11), data: body }),
      },
      reportOf: (row) => (row.fromAgent === 'Alice' ? ({ id: row.id } as TraceReport) : undefined),
      async send(reports) {
        if (facts.fails) throw new Error('away')
        sent.push(reports.map(({ sealed }) => sealed?.data ?? ''))
      },
    })
  let archiver = start()
  return {
    facts,
    sent,
    send(...bodies: string[]) {
      for (const body of bodies) alice.send('Bob', { body })
      alice.flush()
    },
    look: async (ms = 1_000) => {
      archiver.changed()
      await vi.advanceTimersByTimeAsync(ms)
    },
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
    restart() {
      archiver.stop()
      archiver = start()
    },
    stop: () => archiver.stop(),
    store: alice.store,
  }
}

test('what is sent while the archive is on goes to it once, also over a restart; what was sent before stays here', async () => {
  const { facts, sent, send, look, restart } = machine()
  facts.key = null
  send('before')
  await look()
  facts.key = 'a'
  await look()
  send('one', 'two')
  await look()
  restart()
  await look()
  send('three')
  await look()
  expect(sent).toEqual([['one', 'two'], ['three']])
})

test('what was sent while the control plane was away, or refused it, follows in order', async () => {
  const { facts, sent, send, look, pass, restart } = machine()
  await look()
  facts.isUp = false
  send('one')
  await look()
  facts.isUp = true
  facts.fails = true
  send('two')
  await look()
  expect(sent).toEqual([])
  restart()
  await look()
  facts.fails = false
  await pass(60_000)
  expect(sent).toEqual([['one', 'two']])
})

test('what was sent while the archive was off is not in it when it is on again', async () => {
  const { facts, sent, send, look } = machine()
  await look()
  send('one')
  facts.key = null
  await look()
  send('two')
  await look()
  facts.key = 'a'
  await look()
  send('three')
  await look()
  expect(sent).toEqual([['three']])
})

test('another key is another archive, and a roster that nobody has yet ends none', async () => {
  const { facts, sent, send, look, store } = machine()
  await look()
  facts.key = undefined
  send('one')
  await look()
  expect(store.archived()).toEqual({ key: 'a', upTo: 0 })
  facts.key = 'a'
  await look()
  facts.key = 'b'
  await look()
  send('two')
  await look()
  expect(sent).toEqual([['one'], ['two']])
})

test('a long backlog goes in frames of some bodies, and large ones in frames of few', async () => {
  const { facts, sent, send, look } = machine()
  await look()
  facts.isUp = false
  send(...Array.from({ length: 250 }, (_, n) => `${n}`))
  send(...Array.from({ length: 5 }, () => 'x'.repeat(250 * 1024)))
  facts.isUp = true
  await look()
  expect(sent.flat()).toHaveLength(255)
  expect(sent.flat().slice(0, 250)).toEqual(Array.from({ length: 250 }, (_, n) => `${n}`))
  expect(sent.map((frame) => frame.length)).toEqual([100, 100, 54, 1])
})

test('a store that lost its newest messages begins where it is', async () => {
  const { sent, send, look, store } = machine()
  store.noteArchived({ key: 'a', upTo: 1_000 })
  await look()
  send('one')
  await look()
  expect(sent).toEqual([['one']])
})

test('after a stop nothing is sent any more', async () => {
  const { sent, send, look, stop } = machine()
  await look()
  send('one')
  stop()
  await look()
  expect(sent).toEqual([])
})
