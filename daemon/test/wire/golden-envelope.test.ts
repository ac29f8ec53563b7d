/** The golden envelopes as the daemon makes them: from its rows and the place that the core gave them. */
import { DASHBOARD_AGENT, type Envelope } from '@agent-relay/protocol'
import { casesOf } from '@agent-relay/protocol/fixtures'
import { expect, test } from 'vitest'
import { emptyState, newAgent } from '../../src/core/state.ts'
import type { MessageRow, Outgoing } from '../../src/core/turn.ts'
import { envelopeOf } from '../../src/service/envelope.ts'

/** What an agent sends, also to people and channels; a daemon gives all of it the usual priority. */
const own = casesOf('envelope', 'envelope')
  .map((one) => ({ ...one, envelope: one.value as Envelope }))
  .filter(({ envelope }) => envelope.from.agent !== DASHBOARD_AGENT)
  .filter(({ envelope }) => envelope.priority === 1)
  // Sealed after it is made, with another nonce each time: protocol/crypto/golden.test.ts.
  .filter(({ envelope }) => envelope.sealed === undefined)

/** How a row names its recipient: people and channels by their sign. */
const nameOf = ({ to }: Envelope): string =>
  to.user !== undefined ? `@${to.user}` : to.agent === DASHBOARD_AGENT ? `#${to.channel}` : to.agent

function stateOf({ org, from, outboxEpoch, id }: Envelope) {
  const state = emptyState({ entropy: { id: () => id, unit: () => 0 }, outboxEpoch, hostName: 'x', userName: 'x' })
  state.identity = {
    machine: { id: from.machine, name: 'alice-mbp' },
    org: { id: org, slug: 'acme', name: 'Acme' },
    person: 'olga',
  }
  const facts = { project: null, repository: null, model: null, client: null, capabilities: [] }
  const claim = {
    tokenHash: '',
    isPerson: false,
    epoch: from.epoch,
    claim: 'granted' as const,
    lastSeenAt: null,
    pushedTo: 0,
  }
  state.agents.set('alice', newAgent({ name: from.agent, ...facts, ...claim }, 'alice'))
  return state
}

const rowOf = (envelope: Envelope): MessageRow => ({
  ...{ n: 1, id: envelope.id, way: 'out', state: 'queued', fromAgent: 'Alice', fromMachine: envelope.from.machine },
  ...{ fromPerson: null, fromProject: null, toAgent: nameOf(envelope), toMachine: envelope.to.machine },
  ...{ project: envelope.to.project ?? null, via: envelope.to.via ?? null, thread: envelope.thread ?? null },
  ...{ replyTo: envelope.replyTo ?? null, stream: envelope.stream, seq: envelope.seq, trace: envelope.trace },
  ...{ ts: envelope.ts, at: envelope.ts, expiresAt: envelope.ts + envelope.ttlMs, body: envelope.body },
  ...{ sizeBytes: Buffer.byteLength(envelope.body), reason: null, retryOf: null },
})

const outgoingOf = (envelope: Envelope): Outgoing => ({
  ...{ n: 1, id: envelope.id, stream: envelope.stream, seq: envelope.seq, epoch: envelope.from.epoch },
  ...{ ttlMs: envelope.ttlMs, machine: envelope.to.machine, fromKey: 'alice', toKey: envelope.to.agent.toLowerCase() },
  isVoid: envelope.isVoid === true,
})

test.each(own)('envelope.$case', ({ envelope, wire }) => {
  const source = { state: stateOf(envelope), row: rowOf(envelope), now: envelope.ts }
  const made = envelopeOf({ ...outgoingOf(envelope), ...(envelope.isVoid && { n: 0 }) }, source)
  expect(JSON.stringify(made)).toBe(wire)
})

test('an empty place without a row is the golden void envelope, but for what only a row knows', () => {
  const { envelope } = own.find((one) => one.case === 'void') as (typeof own)[0]
  const made = envelopeOf(outgoingOf(envelope), { state: stateOf(envelope), row: undefined, now: envelope.ts })
  expect(made).toEqual({ ...envelope, to: { ...envelope.to, agent: 'bob' }, trace: envelope.stream.slice(0, 64) })
})
