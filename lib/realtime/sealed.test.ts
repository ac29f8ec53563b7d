/** Sealed messages by the real control plane: it carries and keeps what it cannot read, and is itself one end of what is for people. */
import {
  DASHBOARD_AGENT,
  type Envelope,
  isPlainEnvelope,
  MAX_SEALED_LENGTH,
  type RelayResult,
} from '@agent-relay/protocol'
import { createSealBox, isOwnSealKey, type KeyPair, newKeyPair, type SealBox } from '@agent-relay/protocol/crypto'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { requireMembership } from '#lib/access/authorize.ts'
import type { UserActor } from '#lib/services/context.ts'
import { getConversation } from '#lib/services/inbox/get-conversation.ts'
import { sendAsPerson } from '#lib/services/inbox/send-as-person.ts'
import { readMail } from '#lib/services/messages/read-mail.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  connectMachine,
  envelopeOf,
  type LinkedMachine,
  linkMachine,
  type MachineClient,
  makeSealKey,
  startGateway,
  type TestGateway,
  testLog,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let orgId: string
let count = 0
const warnings: unknown[] = []
const open: MachineClient[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const team = await foundTeam(database.db, 'Olga', 'Acme')
  owner = team.owner
  orgId = team.org.id
})
afterAll(() => database.drop())
beforeEach(async () => {
  gateway = await startGateway(database.db, { log: { ...testLog, warn: (fields) => void warnings.push(fields) } })
})
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
  await gateway.close()
})

type Sealing = { machine: LinkedMachine; pair: KeyPair; box: SealBox }

/** A machine with a seal key, connected with it. */
async function connect(known?: LinkedMachine): Promise<MachineClient & Sealing> {
  const machine = known ?? (await linkMachine(database.db, owner, orgId, `m${++count}`))
  const { pair, seal } = makeSealKey(machine)
  const client = await connectMachine(gateway.url, machine, { says: { seals: [seal] } })
  open.push(client)
  return Object.assign(client, { pair, box: createSealBox([pair]) })
}

/** The current seal key of a machine, as its roster has it, and as its identity signed it. */
function keyIn(client: MachineClient, id: string): string {
  const machine = client.roster.machines.find((one) => one.id === id)
  const [seal] = machine?.seals ?? []
  if (!machine?.publicKey || !seal || !isOwnSealKey(machine.publicKey, orgId, id, seal))
    throw new Error(`no key of ${id}`)
  return seal.key
}

const sealed = ({ box }: Sealing, envelope: Envelope, key: string): Envelope => ({
  ...envelope,
  body: '',
  sealed: box.seal(envelope, envelope.body, key),
})

async function relay(client: MachineClient, ...envelopes: Envelope[]): Promise<RelayResult[]> {
  const answer = await client.ask('relay', { envelopes })
  if (!answer.ok) throw answer.error
  return (answer.value as { results: RelayResult[] }).results
}

const acked = (client: MachineClient): number =>
  Math.max(-1, ...client.returned.flatMap(({ batch }) => batch.acks.map(({ upTo }) => upTo)))
const giveBack = (client: MachineClient, batch: object) =>
  client.ask('return', { acks: [], gaps: [], receipts: [], ...batch })
const about = ({ from, stream, outboxEpoch }: Envelope) => ({ to: from.machine, stream, outboxEpoch })

/** An agent's name on a machine, and its envelopes to another place. */
async function writer(client: MachineClient) {
  const agent = `Writer${++count}`
  const from = { machine: client.machine, agent, epoch: await client.claim(agent) }
  return {
    agent,
    to: (to: Envelope['to'], seq = 0, rest: Partial<Envelope> = {}) => envelopeOf(from, to, seq, rest),
    toOlga: (seq = 0): Envelope => ({
      ...envelopeOf(from, { machine: orgId, agent: DASHBOARD_AGENT }, seq),
      to: { machine: orgId, agent: DASHBOARD_AGENT, user: 'olga' },
    }),
  }
}

test('what is sealed to the control plane is opened for its person, and what was changed is not taken until it is sealed anew', async () => {
  const client = await connect()
  const { agent, toOlga } = await writer(client)
  const key = keyIn(client, orgId)
  const bodies = async () => {
    const ctx = await requireMembership(contextOf(database.db, owner), orgId)
    return (await getConversation(ctx, { key: `agent:${agent.toLowerCase()}` })).rows.map(({ body }) => body)
  }
  const first = sealed(client, toOlga(0), key)
  const second = toOlga(1)
  const changed = { ...sealed(client, second, key), thread: 'other' }
  await relay(client, first, changed, sealed(client, toOlga(2), key))
  await client.until(() => acked(client) === 0)
  expect(await bodies()).toEqual(['message 0'])
  await relay(client, { ...second })
  await relay(client, sealed({ ...client, box: createSealBox([newKeyPair('X25519')]) }, second, key))
  await relay(client, sealed(client, second, newKeyPair('X25519').publicKey))
  await relay(client, sealed(client, second, key))
  await client.until(() => acked(client) === 1)
  await relay(client, sealed(client, toOlga(2), key))
  await client.until(() => acked(client) === 2)
  expect(await bodies()).toEqual(['message 0', 'message 1', 'message 2'])
  expect(warnings).toContainEqual({ machine: client.machine.id, why: 'it could not be opened' })
  expect(warnings).toContainEqual({ machine: client.machine.id, why: 'it is not sealed' })
})

test('a machine without keys may write to people in the clear, and not sealed by keys that nobody knows', async () => {
  const machine = await linkMachine(database.db, owner, orgId, `m${++count}`)
  const client = await connectMachine(gateway.url, machine)
  open.push(client)
  const { toOlga } = await writer(client)
  const pair = newKeyPair('X25519')
  await relay(client, sealed({ machine, pair, box: createSealBox([pair]) }, toOlga(0), keyIn(client, orgId)))
  await relay(client, toOlga(0))
  await client.until(() => acked(client) === 0)
})

test("a person's message is sealed to the machine by the control plane, also at rest, and again when it is asked for", async () => {
  const client = await connect()
  const { agent } = await writer(client)
  const ctx = await requireMembership(contextOf(database.db, owner), orgId)
  await sendAsPerson(ctx, { to: agent, body: 'for your eyes' })
  await client.until(() => client.delivered.length === 1)
  const [first] = client.delivered as [Envelope & { sealed: NonNullable<Envelope['sealed']> }]
  const senders = [keyIn(client, orgId)]
  expect(client.box.open(first, senders)).toBe('for your eyes')
  expect(first).toMatchObject({ body: '', from: { machine: orgId, user: 'Olga' } })
  const waiting = await readMail(database.db, client.machine.id, {})
  expect(JSON.stringify(waiting)).not.toContain('for your eyes')
  // Its key is lost: the new one is what it is sealed to when it asks again.
  const again = await connect(client.machine)
  await again.until(() => again.delivered.length === 1)
  expect(again.box.open(again.delivered[0] as typeof first, senders)).toBeUndefined()
  await giveBack(again, { gaps: [{ ...about(first), next: 0 }] })
  await again.until(() => again.delivered.length > 1)
  expect(again.box.open(again.delivered.at(-1) as typeof first, senders)).toBe('for your eyes')
  await giveBack(again, { acks: [{ ...about(first), upTo: 0 }] })
  expect(await readMail(database.db, client.machine.id, {})).toEqual([])
})

test('an empty place of a person is sealed, too', async () => {
  const client = await connect()
  const { agent } = await writer(client)
  const ctx = await requireMembership(contextOf(database.db, owner), orgId)
  const { id } = await sendAsPerson(ctx, { to: agent, body: 'given up' })
  await client.until(() => client.delivered.length === 1)
  await database.db.personDelivery.update({ where: { id }, data: { state: 'failed' } })
  await giveBack(client, { gaps: [{ ...about(client.delivered[0] as Envelope), next: 0 }] })
  await client.until(() => client.delivered.some(({ isVoid }) => isVoid))
  const empty = client.delivered.find(({ isVoid }) => isVoid) as Envelope & { sealed: NonNullable<Envelope['sealed']> }
  expect(client.box.open(empty, [keyIn(client, orgId)])).toBe('')
})

/** Alice writes to Bob, who is away and then comes back without the key that she sealed to. */
async function lostKey() {
  const alice = await connect()
  const bob = await connect()
  const { to } = await writer(alice)
  await writer(bob)
  const plain = to({ machine: bob.machine.id, agent: `Writer${count}` })
  await alice.until(() => alice.roster.machines.some(({ id, seals }) => id === bob.machine.id && seals))
  const old = keyIn(alice, bob.machine.id)
  await bob.close()
  await alice.until(() => alice.roster.machines.find(({ id }) => id === bob.machine.id)?.isOnline === false)
  expect(await relay(alice, sealed(alice, plain, old))).toMatchObject([{ state: 'stored' }])
  const back = await connect(bob.machine)
  await back.until(() => back.delivered.length === 1)
  const first = back.delivered[0] as Envelope & { sealed: NonNullable<Envelope['sealed']> }
  expect(back.box.open(first, [alice.pair.publicKey])).toBeUndefined()
  await giveBack(back, { gaps: [{ ...about(first), next: 0 }] })
  await alice.until(() => alice.returned.some(({ batch }) => batch.gaps.length > 0))
  await alice.until(() => keyIn(alice, bob.machine.id) === back.pair.publicKey)
  return { alice, back, plain, first }
}

test('what a mailbox kept under a lost key gets through sealed anew, and one acknowledgement ends both copies', async () => {
  const { alice, back, plain, first } = await lostKey()
  expect(await relay(alice, sealed(alice, plain, back.pair.publicKey))).toMatchObject([{ state: 'carried' }])
  await back.until(() => back.delivered.length === 2)
  expect(back.box.open(back.delivered[1] as typeof first, [alice.pair.publicKey])).toBe('message 0')
  await giveBack(back, { acks: [{ ...about(first), upTo: 0 }] })
  expect(await readMail(database.db, back.machine.id, {})).toEqual([])
  const later = await connectMachine(gateway.url, back.machine)
  open.push(later)
  await giveBack(later, {})
  expect(later.delivered).toEqual([])
})

test('sealed anew while its recipient is away again, it takes the old copy’s place in the mailbox', async () => {
  const { alice, back, plain, first } = await lostKey()
  await back.close()
  await alice.until(() => alice.roster.machines.find(({ id }) => id === back.machine.id)?.isOnline === false)
  expect(await relay(alice, sealed(alice, plain, back.pair.publicKey))).toMatchObject([{ state: 'stored' }])
  await alice.close()
  const { pair } = back
  const again = await connectMachine(gateway.url, back.machine)
  open.push(again)
  await again.until(() => again.delivered.length > 0)
  expect(createSealBox([pair]).open(again.delivered[0] as typeof first, [alice.pair.publicKey])).toBe('message 0')
  await giveBack(again, { acks: [{ ...about(first), upTo: 0 }] })
  expect(await readMail(database.db, back.machine.id, {})).toEqual([])
})

test('the largest body goes through sealed, and what is longer than any sealed body is refused', async () => {
  const alice = await connect()
  const bob = await connect()
  const { to } = await writer(alice)
  const { agent } = await writer(bob)
  await alice.until(() => alice.roster.machines.some(({ id, seals }) => id === bob.machine.id && seals))
  const place = { machine: bob.machine.id, agent }
  const bodies = Array.from({ length: 20 }, (_, n) => `${n}`.padEnd(256 * 1024, 'ü').slice(0, 128 * 1024))
  const all = bodies.map((body, seq) => sealed(alice, to(place, seq, { body }), bob.pair.publicKey))
  for (const envelope of all) expect(await relay(alice, envelope)).toMatchObject([{ state: 'carried' }])
  await bob.until(() => bob.delivered.length === bodies.length)
  const opened = bob.delivered.map((one) => bob.box.open(one as Required<Envelope>, [alice.pair.publicKey]))
  expect(opened).toEqual(bodies)
  const long = {
    ...to(place, 20),
    body: '',
    sealed: { ...(all[0] as Required<Envelope>).sealed, data: 'A'.repeat(MAX_SEALED_LENGTH + 1) },
  }
  expect(isPlainEnvelope(long)).toBe(true)
  expect(await relay(alice, long)).toMatchObject([{ state: 'refused', error: { code: 'TOO_LARGE' } }])
})
