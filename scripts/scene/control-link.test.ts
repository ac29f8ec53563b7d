/** The daemon's control link against the control plane's own gateway and Postgres: both halves of the protocol as shipped. */
import { randomUUID, sign } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import type { ClaimResult, Envelope, RosterDelta } from '@agent-relay/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { UserActor } from '#lib/services/context.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  claimOf,
  envelopeOf,
  type LinkedMachine,
  linkMachine,
  makeIdentity,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'
import { type ControlLink, createControlLink } from '../../daemon/src/cloud/control-link.ts'

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let orgId: string
let count = 0
const links: ControlLink[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  orgId = team.org.id
})
afterAll(() => database.drop())
beforeEach(async () => {
  gateway = await startGateway(database.db)
})
afterEach(async () => {
  for (const link of links.splice(0)) link.stop()
  await gateway.close()
})

const link = (name = `m${++count}`): Promise<LinkedMachine> => linkMachine(database.db, owner, orgId, name)

function open(machine: LinkedMachine, names: string[] = [], url = gateway.url) {
  const events = new EventEmitter()
  const delivered: Envelope[] = []
  const epochs = new Map<string, number>()
  let controlKey: string | undefined
  const control = createControlLink({
    url,
    key: machine.key,
    identity: {
      publicKey: machine.identity.publicKey,
      sign: (text) => sign(null, Buffer.from(text), machine.identity.privateKey).toString('base64url'),
    },
    version: '0.1.0',
    bootId: randomUUID(),
    trust: {
      org: machine.orgId,
      machine: machine.id,
      controlKey: () => controlKey,
      known: () => undefined,
      pin(key) {
        controlKey = key
      },
    },
    seals: () => [],
    agents: () => names.map((name) => claimOf(name, epochs.get(name) ?? null)),
    random: () => 0.05,
    on: {
      up: (welcome) => events.emit('up', welcome),
      down: (reason) => events.emit('down', reason),
      delta: (delta) => events.emit('delta', delta),
      roster: (roster) => events.emit('roster', roster),
      returned: (returned) => events.emit('returned', returned),
      refused: (error) => events.emit('refused', error),
      unknown: (event) => events.emit('unknown', event),
      fresh: (at) => events.emit('fresh', at),
      signal: (signal) => events.emit('signal', signal),
      claims(results) {
        for (const result of results) if (result.ok) epochs.set(result.name, result.epoch)
        events.emit('claims', results)
      },
      deliver(envelopes) {
        delivered.push(...envelopes)
        events.emit('deliver')
      },
    },
  })
  links.push(control)
  const next = async (event: string) => (await once(events, event))[0]
  return { control, events, delivered, epochs, next }
}

async function connected(machine: LinkedMachine, names: string[] = []) {
  const opened = open(machine, names)
  const claims = opened.next('claims')
  opened.control.start()
  const results: ClaimResult[] = await claims
  return { ...opened, results }
}

test('names are granted at connect, kept over a reconnect, and refused to another machine with who has them', async () => {
  const [one, two] = [await link(), await link()]
  const first = await connected(one, ['Alice'])
  expect(first.results).toEqual([{ ok: true, name: 'Alice', epoch: 1 }])
  const second = await connected(two, ['Alice'])
  expect(second.results[0]).toMatchObject({
    ok: false,
    error: { code: 'NAME_TAKEN', details: { owner: expect.stringContaining('olga') } },
  })
  // Both come back, in whichever order: the name is not free in between.
  const again = first.next('claims')
  const refusedAgain = second.next('claims')
  const { port } = new URL(gateway.url)
  await gateway.close()
  gateway = await startGateway(database.db, { port: Number(port) })
  expect(await refusedAgain).toMatchObject([{ ok: false, error: { code: 'NAME_TAKEN' } }])
  expect(await again).toEqual([{ ok: true, name: 'Alice', epoch: 1 }])
  expect(first.control.state()).toEqual({ state: 'connected', reason: null })
  await expect.poll(() => first.control.latencyMs()).toBeGreaterThan(0)
})

test('messages travel in order, live, and through the mailbox to a machine that was away over a restart', async () => {
  const [a, b] = [await link(), await link()]
  const alice = await connected(a, [`A${count}`])
  const bob = await connected(b, [`B${count}`])
  const from = { machine: a, agent: `A${count}`, epoch: alice.epochs.get(`A${count}`) ?? 0 }
  const sent = Array.from({ length: 1500 }, (_, seq) => envelopeOf(from, { machine: b.id, agent: `B${count}` }, seq))
  const live = await Promise.all([alice.control.relay(sent.slice(0, 400)), alice.control.relay(sent.slice(400, 1000))])
  expect(new Set(live.flat().map(({ state }) => state))).toEqual(new Set(['carried']))
  while (bob.delivered.length < 1000) await bob.next('deliver')
  expect(bob.delivered).toEqual(sent.slice(0, 1000))
  let isAway = false
  alice.events.on('delta', ({ machines }: RosterDelta) => {
    isAway ||= machines.some(({ id, isOnline }) => id === b.id && !isOnline)
  })
  bob.control.stop()
  while (!isAway) await alice.next('delta')
  const waiting = await alice.control.relay(sent.slice(1000))
  expect(new Set(waiting.map(({ state }) => state))).toEqual(new Set(['stored']))
  bob.control.start()
  const ack = { stream: sent[0]?.stream ?? '', outboxEpoch: 'e1', upTo: 1499, to: a.id }
  while (bob.delivered.length < 1500) await bob.next('deliver')
  expect(bob.delivered.map(({ id }) => id)).toEqual(sent.map(({ id }) => id))
  const returned = alice.next('returned')
  await bob.control.giveBack({ acks: [ack], gaps: [], receipts: [] })
  expect(await returned).toEqual({ from: b.id, batch: { acks: [ack], gaps: [], receipts: [] } })
})

test('a revoked machine is told within two seconds and does not try again', async () => {
  const machine = await link()
  const opened = await connected(machine)
  const refused = opened.next('refused')
  const at = performance.now()
  await revokeMachine(contextOf(database.db, owner), { org: orgId, machineId: machine.id })
  expect((await refused).code).toBe('KEY_REVOKED')
  expect(performance.now() - at).toBeLessThan(2000)
  expect(opened.control.state()).toMatchObject({
    state: 'refused',
    reason: expect.stringContaining('agent-relay link'),
  })
})

test('a mistyped key, a dead key and a copied key on another identity each end the tries with their reason', async () => {
  const machine = await link()
  const bound = await connected(machine)
  bound.control.stop()
  const outcomes = []
  for (const wrong of [
    { ...machine, key: `${machine.key.slice(0, -1)}-` },
    { ...machine, identity: makeIdentity() },
  ]) {
    const opened = open(wrong)
    const refused = opened.next('refused')
    opened.control.start()
    outcomes.push((await refused).code)
  }
  expect(outcomes).toEqual(['KEY_INVALID', 'IDENTITY_MISMATCH'])
})

test('the roster of a connected machine follows every change without a gap', async () => {
  const watcher = await connected(await link())
  const versions: RosterDelta[] = []
  watcher.events.on('delta', (delta) => versions.push(delta))
  watcher.events.on('roster', () => versions.push({ base: -1 } as RosterDelta))
  const other = await connected(await link(), [`C${count}`])
  await other.control.setStatus([{ name: `C${count}`, epoch: 1, status: 'working' }])
  const isSeen = () => versions.some((delta) => delta.agents.some(({ status }) => status === 'working'))
  while (!isSeen()) await watcher.next('delta')
  await other.control.release(`C${count}`)
  const isReleased = () =>
    versions.at(-1)?.agents.some(({ status }) => status === 'offline') || versions.at(-1)?.removedAgents.length
  while (!isReleased()) await watcher.next('delta')
  for (const [n, delta] of versions.entries()) if (n > 0) expect(delta.base).toBe(versions[n - 1]?.version)
})
