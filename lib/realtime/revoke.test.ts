/** From the click that revokes a machine to the moment in which nobody talks to it any more. */
import type { RelayResult } from '@agent-relay/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { MachineActor, UserActor } from '#lib/services/context.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  connectMachine,
  envelopeOf,
  linkMachine,
  type MachineClient,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'
import { publish } from './bus.ts'
import { relayDoor } from './relay-door.ts'

let database: TestDatabase
let gateway: TestGateway
let owner: UserActor
let orgId: string
let count = 0
const open: MachineClient[] = []

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
  for (const client of open.splice(0)) await client.close()
  await gateway.close()
})

async function connect(): Promise<MachineClient> {
  const client = await connectMachine(gateway.url, await linkMachine(database.db, owner, orgId, `m${++count}`))
  open.push(client)
  return client
}
async function sender(client: MachineClient) {
  const agent = `A${++count}`
  return { machine: client.machine, agent, epoch: await client.claim(agent) }
}
const actorOf = ({ machine }: MachineClient): MachineActor => ({
  ...{ kind: 'machine', machineId: machine.id, orgId, userId: owner.userId, label: machine.name },
})
async function relay(client: MachineClient, envelopes: unknown[]): Promise<RelayResult[]> {
  const answer = await client.ask('relay', { envelopes } as never)
  if (!answer.ok) throw answer.error
  return (answer.value as { results: RelayResult[] }).results
}

test('a revoked machine is cut and told, refused by the relay at once, and gone for the others within a second', async () => {
  const [alice, bob, watcher] = [await connect(), await connect(), await connect()]
  const [from, back] = [await sender(alice), await sender(bob)]
  const to = (client: MachineClient) => ({ machine: client.machine.id, agent: 'Any' })
  expect(await relay(alice, [envelopeOf(from, to(bob), 0)])).toMatchObject([{ state: 'carried' }])
  const goodbye = new Promise((resolve) => bob.socket.once('goodbye', resolve))
  const cut = new Promise((resolve) => bob.socket.once('disconnect', resolve))

  const startedAt = performance.now()
  await revokeMachine(contextOf(database.db, owner), { org: orgId, machineId: bob.machine.id })
  // Nothing is awaited between: the roster in memory is still the old one.
  const toBob = relayDoor().relay(actorOf(alice), [envelopeOf(from, to(bob), 1)])
  const fromBob = relayDoor().relay(actorOf(bob), [envelopeOf(back, to(alice), 0)])
  const signal = alice.ask('signal', {
    ...{ to: bob.machine.id, id: crypto.randomUUID() },
    sealed: { by: 'a'.repeat(11), to: 'b'.repeat(11), data: 'x'.repeat(60) },
  })
  for (const client of [alice, watcher])
    await client.until(() => client.roster.machines.every(({ id }) => id !== bob.machine.id))
  const tookMs = performance.now() - startedAt

  expect(tookMs).toBeLessThan(1_000)
  expect(await goodbye).toMatchObject({ code: 'KEY_REVOKED' })
  await cut
  expect(await toBob).toMatchObject([{ state: 'refused', error: { code: 'NOT_FOUND' } }])
  expect(await fromBob).toMatchObject([{ state: 'refused', error: { code: 'FENCED' } }])
  expect(await signal).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
  expect(alice.delivered).toEqual([])
  expect(await database.db.mailboxMessage.count({ where: { machineId: bob.machine.id } })).toBe(0)
  await expect(connectMachine(gateway.url, bob.machine)).rejects.toMatchObject({ code: 'KEY_REVOKED' })
})

test('what is revoked stays so while the roster that was read does not say it yet', async () => {
  const [alice, bob] = [await connect(), await connect()]
  const [from, back] = [await sender(alice), await sender(bob)]
  await alice.until(() => alice.roster.agents.some(({ name }) => name === back.agent))
  // The commit is known here before any read of it.
  publish('revoked', { orgId, machineId: bob.machine.id })
  const target = { machine: bob.machine.id, agent: back.agent }
  expect(await relay(alice, [envelopeOf(from, target, 0)])).toMatchObject([{ error: { code: 'NOT_FOUND' } }])
  const own = envelopeOf(back, { machine: alice.machine.id, agent: from.agent }, 0)
  expect(await relay(bob, [own])).toMatchObject([{ error: { code: 'FENCED' } }])
  // Of another organization the same word changes nothing.
  const carol = await connect()
  publish('revoked', { orgId: crypto.randomUUID(), machineId: carol.machine.id })
  const [result] = await relay(alice, [envelopeOf(from, { machine: carol.machine.id, agent: 'Any' }, 0)])
  expect(result?.error).toBeUndefined()
})

test('ten machines of a busy organization hear it within a second, while names come and go', async () => {
  const machines = await Promise.all(Array.from({ length: 10 }, connect))
  const victim = await connect()
  let isOver = false
  const noise = machines.slice(0, 4).map(async (client, nth) => {
    while (!isOver) {
      const name = `Noise${nth}`
      const epoch = await client.claim(name)
      await client.ask('agents.status', { changes: [{ name, epoch, status: 'working' }] })
    }
  })
  const startedAt = performance.now()
  await revokeMachine(contextOf(database.db, owner), { org: orgId, machineId: victim.machine.id })
  await Promise.all(
    machines.map((client) => client.until(() => client.roster.machines.every(({ id }) => id !== victim.machine.id))),
  )
  const tookMs = performance.now() - startedAt
  isOver = true
  await Promise.all(noise)
  expect(tookMs).toBeLessThan(1_000)
})
