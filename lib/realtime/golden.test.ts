/** The golden frames of the control socket against the real gateway: its database holds the very machines that they speak of. */
import { sign } from 'node:crypto'
import {
  type Answer,
  answerOf,
  Challenge,
  controlProofText,
  type Envelope,
  MACHINES_NAMESPACE,
  machineFrames,
  type Roster,
  type SignedWelcome,
  SOCKET_PATH,
} from '@agent-relay/protocol'
import { readSigned } from '@agent-relay/protocol/crypto'
import { casesOf, golden, goldenKey } from '@agent-relay/protocol/fixtures'
import { io, type Socket } from 'socket.io-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { createGoldenOrg, type GoldenOrg, timeless, wireOf } from '#lib/testing/golden.ts'
import { connectMachine, startGateway, type TestGateway } from '#lib/testing/machines.ts'
import { contextOf } from '#lib/testing/people.ts'

const auth = golden('control/auth.usual')
const welcome: SignedWelcome = golden('control/welcome.signed')
const roster: Roster = JSON.parse(welcome.roster.text)
const [minimal, options] = golden('control/relay.usual').envelopes as [Envelope, Envelope]

const goldenWire = (path: string): string => wireOf(golden(path))

let database: TestDatabase
let gateway: TestGateway
let org: GoldenOrg

beforeAll(async () => {
  database = await createTestDatabase()
  org = await createGoldenOrg(database.db)
  gateway = await startGateway(database.db)
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

/** Alice's machine as the golden auth names it. */
function dialAlice(): Socket {
  const options = { path: SOCKET_PATH, transports: ['websocket'], reconnection: false, forceNew: true, auth }
  return io(gateway.url + MACHINES_NAMESPACE, options)
}

/** With the signed text read, so that times in it can be passed over. */
const unsigned = (value: unknown): unknown =>
  JSON.parse(wireOf(value), (key, part) => (key === 'text' ? JSON.parse(part) : part))

test('the golden key opens the door, and welcome is the golden one', async () => {
  const socket = dialAlice()
  const greeted = new Promise<SignedWelcome>((resolve) => socket.once('welcome', resolve))
  const [challenge, reply] = await new Promise<[Challenge, (proof: unknown) => void]>((resolve) =>
    socket.once('challenge', (...frame) => resolve(frame as never)),
  )
  expect(wireOf(Challenge.parse(challenge))).toBe(wireOf(challenge))
  expect({ ...challenge, nonce: '' }).toEqual({ ...golden('control/challenge.usual'), nonce: '' })
  const signature = sign(null, Buffer.from(controlProofText(challenge, auth.bootId)), goldenKey)
  const said = { ...golden('control/proof.seals'), rosterVersion: null }
  reply({ ...said, signature: signature.toString('base64url') })
  // The agents of the file are claimed by the tests below, and its channel made there; the database has none yet.
  const bare = { ...roster, agents: [], channels: [] }
  const { roster: signed, ...rest } = await greeted
  const { roster: __, ...goldenRest } = welcome
  expect(wireOf(timeless(rest))).toBe(wireOf(timeless(goldenRest)))
  const read = readSigned(rest.controlKey, 'roster', org.orgId, signed) as Roster
  expect(wireOf(timeless(read))).toBe(wireOf(timeless(bare)))
  expect(read.machines[0]?.seals).toEqual(golden('control/proof.seals').seals)
  socket.disconnect()
})

test('a signature made for the golden nonce opens nothing', async () => {
  const socket = dialAlice()
  socket.once('challenge', (_, reply) => reply(golden('control/proof.usual')))
  expect(await new Promise((resolve) => socket.once('goodbye', resolve))).toMatchObject({ code: 'IDENTITY_MISMATCH' })
})

test('every golden frame is answered by its golden answer, and reaches the other machine as it was', async () => {
  const alice = await connectMachine(gateway.url, org.alice)
  const bob = await connectMachine(gateway.url, org.bob)
  const say = (event: string, value: unknown): Promise<Answer<unknown>> =>
    new Promise((resolve) => (alice.socket as Socket).emit(event, value, resolve))

  const { agents } = golden('control/agents.sync.usual')
  expect(wireOf(await say('agents.sync', { agents: agents.slice(0, 1) }))).toBe(
    wireOf({ ok: true, value: { results: golden('control/agents.sync.answer.usual').value.results.slice(0, 1) } }),
  )
  const frames = new Map<string, unknown>()
  for (const event of ['deliver', 'returned'])
    (alice.socket as Socket).on(event, (frame: unknown) => frames.set(event, frame))
  const answered: Record<string, string> = {
    'agents.status.usual': 'agents.status.answer.done',
    'return.acks': 'return.answer.done',
    'return.heard': 'return.answer.done',
    'traces.usual': 'traces.answer.done',
    'heartbeat.usual': 'heartbeat.answer.fresh',
    'links.usual': 'links.answer.done',
    'keys.put.usual': 'keys.put.answer.done',
  }
  for (const [asked, answer] of Object.entries(answered)) {
    const [event] = asked.match(/^.*(?=\.)/) ?? []
    const said = await say(event as string, golden(`control/${asked}`))
    expect(wireOf(timeless(unsigned(said))), asked).toBe(wireOf(timeless(unsigned(golden(`control/${answer}`)))))
  }
  const signal = new Promise((resolve) => bob.socket.once('signal', resolve))
  expect(await say('signal', golden('control/signal.usual'))).toEqual(golden('control/signal.answer.done'))
  expect(wireOf(await signal)).toBe(goldenWire('control/signal.in.usual'))
  // Live to Bob, then, when he is away, into his mailbox.
  const carried = (state: string) => ({
    ok: true,
    value: { results: [minimal, options].map(({ id }) => ({ id, state })) },
  })
  expect(await say('relay', golden('control/relay.usual'))).toEqual(carried('carried'))
  await bob.until(() => bob.delivered.length === 2)
  expect(wireOf({ envelopes: bob.delivered })).toBe(goldenWire('control/deliver.usual'))
  const returned = new Promise((resolve) => alice.socket.once('returned', resolve))
  const { batch } = golden('control/returned.usual')
  expect(await bob.ask('return', batch)).toEqual({ ok: true, value: { done: true } })
  expect(wireOf(await returned)).toBe(goldenWire('control/returned.usual'))
  await bob.close()
  await alice.until(() => alice.roster.machines.some(({ id, isOnline }) => id === org.bob.id && !isOnline))
  expect(await say('relay', golden('control/relay.usual'))).toEqual(carried('stored'))

  expect(await say('signal', golden('control/signal.usual'))).toEqual(golden('control/signal.answer.not-connected'))

  // Every other golden frame of a daemon is answered, exactly in the form of its answer.
  for (const [event, { value }] of Object.entries(machineFrames))
    for (const one of casesOf('control', event)) {
      const answer = await say(event, one.value)
      expect(wireOf(answerOf(value).parse(answer)), `${event}.${one.case}`).toBe(wireOf(answer))
    }
  expect(await say('relay', { envelopes: [] })).toEqual(golden('control/relay.answer.malformed'))

  const goodbye = new Promise((resolve) => alice.socket.once('goodbye', resolve))
  await revokeMachine(contextOf(database.db, org.owner), { org: org.orgId, machineId: org.alice.id })
  expect(wireOf(await goodbye)).toMatch(/^\{"code":"KEY_REVOKED","message":"[^"]+"\}$/)
})
