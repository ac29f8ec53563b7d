import type { PeerSignal } from '@agent-relay/protocol'
import { afterEach, expect, test, vi } from 'vitest'
import type { State } from '../core/state.ts'
import { RelayError } from '../errors.ts'
import type { PeerView } from '../peers/transport.ts'
import { createProbes } from './peer-probes.ts'

afterEach(() => void vi.useRealTimers())

const state = { agents: new Map([['bob', { status: 'idle', waiting: new Map() }]]) } as unknown as State
const direct: PeerView = {
  ...{ machine: 'm', state: 'direct', kind: 'lan', remote: { host: '10.0.0.1', port: 1 }, latencyMs: 2 },
  ...{ why: '', since: 0 },
}

/** Two daemons whose signals reach each other. */
function pair({ isBroken = false } = {}) {
  const sent: PeerSignal[] = []
  const asker = createProbes({
    state: () => state,
    isBroken: () => false,
    async send(_, signal) {
      sent.push(signal)
      if (signal.type === 'ping') queueMicrotask(() => answerer.asked('a', signal, 'relay'))
    },
  })
  const answerer = createProbes({
    state: () => state,
    isBroken: () => isBroken,
    async send(_, signal) {
      sent.push(signal)
      if (signal.type === 'pong') queueMicrotask(() => asker.answered('m', signal))
    },
  })
  return { asker, answerer, sent }
}

test('an answer says by which way it came, how the inbox is, and how the agent is', async () => {
  const { asker } = pair()
  expect(await asker.ask('m', 'Bob', direct)).toMatchObject({
    ...{ via: 'direct', kind: 'lan', remote: { host: '10.0.0.1', port: 1 }, inbox: 'ok', status: 'idle' },
  })
  const relayed = await asker.ask('m', 'Nobody', { ...direct, kind: null, remote: null, state: 'relay' })
  expect(relayed).toMatchObject({ via: 'relay', kind: null, remote: null, inbox: 'ok', status: null })
  expect(relayed.tookMs).toBeGreaterThanOrEqual(0)
  expect(await pair({ isBroken: true }).asker.ask('m', undefined, undefined)).toMatchObject({
    inbox: 'broken',
    status: null,
  })
})

test('no answer is a TIMEOUT after 5 s; what keeps a question from leaving is said at once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const silent = createProbes({ state: () => state, isBroken: () => false, send: async () => undefined })
  const asked = silent.ask('m', undefined, undefined)
  vi.advanceTimersByTime(5_000)
  await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT' })
  const cut = createProbes({
    state: () => state,
    isBroken: () => false,
    send: () => Promise.reject(new RelayError('NOT_CONNECTED', 'away')),
  })
  await expect(cut.ask('m', undefined, undefined)).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
})

test('only the machine that was asked can answer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let id = ''
  const probes = createProbes({
    state: () => state,
    isBroken: () => false,
    async send(_, signal) {
      id = signal.id
    },
  })
  const asked = probes.ask('m', undefined, undefined)
  probes.answered('other', { type: 'pong', id, inbox: 'ok' })
  vi.advanceTimersByTime(5_000)
  await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT' })
  probes.answered('m', { type: 'pong', id, inbox: 'ok' })
})

test('a machine that asks without end gets a few answers a second', () => {
  const { answerer, sent } = pair()
  for (let i = 0; i < 1_000; i++) answerer.asked('a', { type: 'ping', id: crypto.randomUUID() }, 'relay')
  expect(sent.length).toBeLessThanOrEqual(20)
})
