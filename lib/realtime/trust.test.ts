/** What a machine is given to believe, and what is believed of a machine: rosters, seal keys, freshness, versions. */
import { Freshness, type RosterDelta, type SealKey, SealKeys } from '@agent-relay/protocol'
import { isOwnSealKey, readSigned } from '@agent-relay/protocol/crypto'
import { asVersion } from '@agent-relay/protocol/transcripts'
import type { Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { UserActor } from '#lib/services/context.ts'
import { archiveKeyOf, controlKeyOf } from '#lib/services/keys/org-keys.ts'
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
} from '#lib/testing/machines.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { publish } from './bus.ts'
import type { Log } from './log.ts'

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let orgId: string
let count = 0
const open: MachineClient[] = []
const warnings: { fields: object; message: string }[] = []
const log: Log = {
  info: () => undefined,
  debug: () => undefined,
  warn: (fields, message) => void warnings.push({ fields, message }),
  error: (fields, message) => console.error(message, fields),
}

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  const team = await foundTeam(database.db, `olga${++count}`, `Acme ${count}`)
  owner = team.owner
  orgId = team.org.id
  gateway = await startGateway(database.db, { log })
  warnings.length = 0
})
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
  await gateway.close()
})

const link = (name = `m${++count}`): Promise<LinkedMachine> => linkMachine(database.db, owner, orgId, name)
async function connect(machine: LinkedMachine, options?: Parameters<typeof connectMachine>[2]): Promise<MachineClient> {
  const client = await connectMachine(gateway.url, machine, options)
  open.push(client)
  return client
}
const version = async () =>
  Number((await database.db.organization.findUniqueOrThrow({ where: { id: orgId } })).rosterVersion)
const sealsOf = (client: MachineClient, id: string): SealKey[] | undefined =>
  client.roster.machines.find((machine) => machine.id === id)?.seals

test('all machines of an organization get one signed text, which is for that organization and that kind only', async () => {
  const [a, b, c] = [await link(), await link(), await link()]
  const [alice, bob] = [await connect(a), await connect(b)]
  expect(alice.controlKey).toBe((await controlKeyOf(database.db, orgId)).publicKey)
  expect(bob.controlKey).toBe(alice.controlKey)
  const next = (client: MachineClient) => new Promise((resolve) => (client.socket as Socket).once('roster', resolve))
  const frames = Promise.all([next(alice), next(bob)])
  await connect(c)
  const [one, two] = (await frames) as [{ text: string; signature: string }, unknown]
  expect(two).toEqual(one)
  expect((alice.read('delta', one) as RosterDelta).machines.map(({ id }) => id)).toContain(c.id)
  expect(() => alice.read('roster', one)).toThrow()
  expect(() => alice.read('fresh', one)).toThrow()
  expect(readSigned(alice.controlKey, 'delta', crypto.randomUUID(), one)).toBeUndefined()
  expect(() => alice.read('delta', { ...one, text: one.text.replace('"isOnline":true', '"isOnline":false') })).toThrow()

  const other = await foundTeam(database.db, `fred${count}`, `Foreign ${count}`)
  const foreign = await connect(await linkMachine(database.db, other.owner, other.org.id, 'theirs'))
  expect(foreign.controlKey).not.toBe(alice.controlKey)
  expect(() => foreign.read('delta', one)).toThrow()
})

test('the control key stays over a restart of the control plane', async () => {
  const machine = await link()
  const { controlKey } = await connect(machine)
  await gateway.close()
  gateway = await startGateway(database.db, { log })
  expect((await connect(machine)).controlKey).toBe(controlKey)
})

test('the control plane is a machine with an identity and a seal key of its own', async () => {
  const alice = await connect(await link())
  const cloud = alice.roster.machines.find(({ id }) => id === alice.roster.cloud)
  expect(cloud?.id).toBe(orgId)
  const [seal] = SealKeys.min(1).parse(cloud?.seals)
  expect(isOwnSealKey(cloud?.publicKey ?? '', orgId, orgId, seal as SealKey)).toBe(true)
  expect(alice.roster.archive).toBeNull()
})

test('the archive’s key comes and goes with the organization’s switch', async () => {
  const alice = await connect(await link())
  const turn = async (archiveSince: Date | null) => {
    await database.db.organization.update({
      where: { id: orgId },
      data: { archiveSince, rosterVersion: { increment: 1 } },
    })
    publish('roster', { orgId })
  }
  await turn(new Date())
  const key = (await archiveKeyOf(database.db, orgId)).publicKey
  await alice.until(() => alice.roster.archive === key)
  await turn(null)
  await alice.until(() => alice.roster.archive === null)
})

test('seal keys of the proof are told to everybody, and the same ones again are no news', async () => {
  const [machine, other] = [await link(), await link()]
  const keys = [makeSealKey(machine).seal, makeSealKey(machine).seal]
  const bob = await connect(other)
  const alice = await connect(machine, { says: { seals: keys } })
  expect(sealsOf(alice, machine.id)).toEqual(keys)
  await bob.until(() => sealsOf(bob, machine.id)?.length === 2)
  expect(sealsOf(bob, machine.id)).toEqual(keys)
  await alice.close()
  await bob.until(() => bob.roster.machines.some(({ id, isOnline }) => id === machine.id && !isOnline))
  const before = await version()
  await connect(machine, { says: { seals: keys } })
  // The session is the one change.
  expect(await version()).toBe(before + 1)
  // A program that says none keeps what is known: messages that wait are sealed to it.
  expect(sealsOf(await connect(machine), machine.id)).toEqual(keys)
})

test('a machine changes its seal keys while it is connected; the others know before it is answered', async () => {
  const machine = await link()
  const first = makeSealKey(machine).seal
  const [alice, bob] = [await connect(machine, { says: { seals: [first] } }), await connect(await link())]
  const second = makeSealKey(machine).seal
  expect(await alice.ask('keys.put', { seals: [second, first] })).toEqual({ ok: true, value: { done: true } })
  expect(sealsOf(alice, machine.id)).toEqual([second, first])
  await bob.until(() => sealsOf(bob, machine.id)?.[0]?.key === second.key)
  const known = await version()
  expect(await alice.ask('keys.put', { seals: [second, first] })).toMatchObject({ ok: true })
  expect(await version()).toBe(known)
})

test('nobody gets a seal key into the roster that the machine’s own identity has not signed for it', async () => {
  const [machine, other] = [await link(), await link()]
  const own = makeSealKey(machine).seal
  const alice = await connect(machine, { says: { seals: [own] } })
  await connect(other)
  const elsewhere = { ...machine, orgId: crypto.randomUUID() }
  for (const seal of [
    makeSealKey(other).seal,
    makeSealKey({ ...machine, identity: other.identity }).seal,
    makeSealKey({ ...machine, id: other.id }).seal,
    makeSealKey(elsewhere).seal,
    { key: makeSealKey(machine).pair.publicKey, signature: own.signature },
    { ...own, signature: 'A'.repeat(86) },
  ]) {
    expect(await alice.ask('keys.put', { seals: [own, seal] })).toMatchObject({
      ok: false,
      error: { code: 'IDENTITY_MISMATCH' },
    })
    await expect(connect(machine, { says: { seals: [seal] } })).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' })
  }
  const back = await connect(machine)
  expect(sealsOf(back, machine.id)).toEqual([own])
  for (const seals of [[], [own, own, own], [{ key: 'x', signature: own.signature }], 'all'])
    expect(await back.ask('keys.put', { seals } as never)).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } })
})

test('a key to which nothing can be sealed is refused, because every sender would fail on it', async () => {
  const machine = await link()
  const alice = await connect(machine)
  const { signText } = await import('@agent-relay/protocol/crypto')
  const { sealKeyText } = await import('@agent-relay/protocol')
  const key = 'A'.repeat(43)
  const seal = { key, signature: signText(machine.identity.privateKey, sealKeyText(orgId, machine.id, key)) }
  expect(await alice.ask('keys.put', { seals: [seal] })).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } })
  expect(sealsOf(alice, machine.id)).toBeUndefined()
})

test('a heartbeat says that the version is the newest: one statement for all, and another one for another version', async () => {
  const [alice, bob] = [await connect(await link()), await connect(await link())]
  const beat = async (client: MachineClient) => {
    const answer = await client.ask('heartbeat', { at: 1 })
    if (!answer.ok) throw answer.error
    return (answer.value as { fresh: unknown }).fresh
  }
  await alice.until(() => alice.roster.version === bob.roster.version)
  const statement = await beat(alice)
  expect(await beat(bob)).toEqual(statement)
  const read = Freshness.parse(alice.read('fresh', statement))
  expect(read).toMatchObject({ org: orgId, version: alice.roster.version })
  expect(Math.abs(Date.now() - read.at)).toBeLessThan(10_000)
  await alice.claim(`Fresh${count}`)
  await alice.until(() => alice.roster.agents.length === 1)
  const later = Freshness.parse(alice.read('fresh', await beat(alice)))
  expect(later.version).toBe(alice.roster.version)
  expect(later.version).toBeGreaterThan(read.version)
})

test('a machine that has seen a newer roster than a restored database is not locked out: versions go on above it', async () => {
  const [machine, watcher] = [await link(), await connect(await link())]
  const ours = await version()
  const client = await connect(machine, { says: { rosterVersion: ours + 500 } })
  expect(client.roster.version).toBeGreaterThan(ours + 500)
  await watcher.until(() => watcher.roster.version > ours + 500)
  expect(warnings).toEqual([
    {
      fields: { org: orgId, machine: machine.id, seen: ours + 500, ours: expect.any(Number) },
      message: expect.stringMatching(/restored from a backup/),
    },
  ])
  warnings.length = 0
  await connect(machine, { says: { rosterVersion: client.roster.version } })
  expect(warnings).toEqual([])
})

test('all machines that come back to a restored database at once get in, and it is said once', async () => {
  const machines = await Promise.all([link(), link(), link(), link()])
  const seen = (await version()) + 500
  const clients = await Promise.all(machines.map((machine) => connect(machine, { says: { rosterVersion: seen } })))
  for (const client of clients) expect(client.roster.version).toBeGreaterThan(seen)
  expect(warnings.filter(({ message }) => /restored from a backup/.test(message))).toHaveLength(1)
  expect(warnings).toHaveLength(1)
})

test('no machine drives the version to the end of the numbers', async () => {
  const machine = await link()
  const before = await version()
  for (const rosterVersion of [Number.MAX_SAFE_INTEGER, 2 ** 40]) {
    const client = await connect(machine, { says: { rosterVersion } })
    expect(client.roster.version).toBeLessThan(before + 20)
    expect(warnings.pop()?.message).toMatch(/much newer/)
  }
  // Step by step, too: after some in an hour nobody is believed.
  for (let i = 0; i < 12; i++) await connect(machine, { says: { rosterVersion: (await version()) + 900_000_000 } })
  expect(await version()).toBeLessThan(11 * 1_000_000_000)
  expect(warnings.pop()?.message).toMatch(/much newer/)
})

test.each([1, 2] as const)('version %i is told nothing that it does not know', async (v) => {
  const [machine, old] = [await link(), await link()]
  const seal = makeSealKey(machine).seal
  const alice = await connect(machine, { says: { seals: [seal] } })
  const heard: [string, unknown][] = []
  const client = await connect(old, { v })
  ;(client.socket as Socket).onAny((event, frame) => void heard.push([event, frame]))
  heard.push(['welcome', client.welcome])
  expect(client.controlKey).toBe('')
  await database.db.organization.update({ where: { id: orgId }, data: { archiveSince: new Date() } })
  await alice.claim(`Old${count}`)
  await alice.ask('keys.put', { seals: [makeSealKey(machine).seal, seal] })
  await client.until(() => client.roster.agents.some(({ name }) => name === `Old${count}`))
  for (const event of ['heartbeat', 'roster.get'] as const) {
    const answer = await client.ask(event, (event === 'heartbeat' ? { at: 1 } : {}) as never)
    expect(asVersion(v, event).parse(answer)).toEqual(answer)
  }
  await alice.ask('signal', { to: old.id, id: crypto.randomUUID(), sealed: sealedOf('x') })
  await client.ask('heartbeat', { at: 2 })
  for (const [event, frame] of heard) expect(asVersion(v, event).parse(frame), event).toEqual(frame)
  expect(heard.map(([event]) => event)).toContain('roster')
})

const sealedOf = (data: string) => ({ by: 'a'.repeat(11), to: 'b'.repeat(11), data: data.padEnd(60, 'x') })

test('what is sealed waits in the mailbox for a program that can open it', async () => {
  const [machine, old] = [await link(), await link()]
  const alice = await connect(machine)
  const name = `Sealed${count}`
  const from = { machine, agent: name, epoch: await alice.claim(name) }
  const to = { machine: old.id, agent: 'Bob' }
  const bob = await connect(old, { v: 2 })
  const sealed = [0, 1].map((seq) => envelopeOf(from, to, seq, { body: '', sealed: sealedOf(`m${seq}`) }))
  const clear = envelopeOf(from, to, 0, { stream: 'another' })
  const answer = await alice.ask('relay', { envelopes: [...sealed, clear] })
  expect(answer).toMatchObject({ ok: true, value: { results: [{ state: 'stored' }, { state: 'stored' }, {}] } })
  await bob.until(() => bob.delivered.length > 0)
  await bob.ask('heartbeat', { at: 1 })
  expect(bob.delivered.map(({ id }) => id)).toEqual([clear.id])
  await bob.close()
  // Also what it finds when it comes back.
  const again = await connect(old, { v: 1 })
  const later = envelopeOf(from, to, 0, { stream: 'a third' })
  await alice.ask('relay', { envelopes: [later] })
  await again.until(() => again.delivered.some(({ id }) => id === later.id))
  expect(again.delivered.every((envelope) => envelope.sealed === undefined)).toBe(true)
  await again.close()
  const newer = await connect(old)
  await newer.until(() => newer.delivered.filter((envelope) => envelope.sealed).length === 2)
  expect(newer.delivered.filter((one) => one.sealed).map(({ sealed: one }) => one)).toEqual(sealed.map((e) => e.sealed))
})

test('a sealed body that is too long, or one beside a body in the clear, is refused', async () => {
  const machine = await link()
  const alice = await connect(machine)
  const name = `Long${count}`
  const from = { machine, agent: name, epoch: await alice.claim(name) }
  const to = { machine: machine.id, agent: name }
  const answer = await alice.ask('relay', {
    envelopes: [
      envelopeOf(from, to, 0, { body: '', sealed: sealedOf('x'.repeat(720_000)) }),
      envelopeOf(from, to, 0, { body: 'read me', sealed: sealedOf('x') }),
    ],
  })
  expect(answer).toMatchObject({
    ok: true,
    value: { results: [{ error: { code: 'TOO_LARGE' } }, { error: { code: 'BAD_REQUEST' } }] },
  })
})
