import type { Socket } from 'node:net'
import type { RelayResult } from '@agent-relay/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { onServer } from '#lib/testing/clone-database.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import {
  connectMachine,
  envelopeOf,
  type LinkedMachine,
  linkMachine,
  type MachineClient,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { foundTeam } from '#lib/testing/people.ts'

let database: TestDatabase
let gateway: TestGateway
let team: Awaited<ReturnType<typeof foundTeam>>
let count = 0
const open: MachineClient[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  team = await foundTeam(database.db, 'olga', 'Acme')
})
afterAll(() => database.drop())
beforeEach(async () => {
  gateway = await startGateway(database.db)
})
afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
  await gateway.close()
})

const link = (): Promise<LinkedMachine> => linkMachine(database.db, team.owner, team.org.id, `m${++count}`)

async function connect(machine: LinkedMachine): Promise<MachineClient> {
  const client = await connectMachine(gateway.url, machine)
  open.push(client)
  return client
}

/** Alice, connected, and Bob's machine, away; `send` sends numbers from…to of a stream and gives the relay's states. */
async function scene() {
  const alice = await connect(await link())
  const bobMachine = await link()
  const name = `A${count}`
  const from = { machine: alice.machine, agent: name, epoch: await alice.claim(name) }
  async function send(agent: string, [first, end]: [number, number], body = ''): Promise<string[]> {
    const states: string[] = []
    for (let start = first; start < end; start += 500) {
      const envelopes = Array.from({ length: Math.min(500, end - start) }, (_, n) =>
        envelopeOf(from, { machine: bobMachine.id, agent }, start + n, { body: `${start + n} ${body}` }),
      )
      const answer = await alice.ask('relay', { envelopes })
      if (!answer.ok) throw answer.error
      states.push(...(answer.value as { results: RelayResult[] }).results.map(({ state }) => state))
    }
    return states
  }
  const ackOf = (agent: string, upTo: number) => ({
    acks: [{ stream: `${name}>${agent}`, outboxEpoch: 'e1', upTo, to: alice.machine.id }],
    gaps: [],
    receipts: [],
  })
  return { bobMachine, send, ackOf }
}

const seqsOf = (client: MachineClient, agent: string): number[] =>
  client.delivered.filter(({ to }) => to.agent === agent).map(({ seq }) => seq)
const upTo = (end: number): number[] => Array.from({ length: end }, (_, seq) => seq)
const tcpOf = (client: MachineClient): Socket =>
  (client.socket.io.engine.transport as unknown as { ws: { _socket: Socket } }).ws._socket
const waiting = (machine: LinkedMachine): Promise<number> =>
  database.db.mailboxMessage.count({ where: { machineId: machine.id } })

/** Together more than the kernel's buffers hold, and a page of them less than makes a recipient slow. */
const wide = 'x'.repeat(6_000)

test('while a mailbox is drained its streams stay in order, and other streams do not wait for them', async () => {
  const { bobMachine, send } = await scene()
  expect(new Set(await send('Bob', [0, 4900], wide))).toEqual(new Set(['stored']))
  const bob = await connect(bobMachine)
  await bob.until(() => bob.delivered.length > 0)
  tcpOf(bob).pause()
  expect(await send('Eve', [0, 1])).toEqual(['carried'])
  expect(await send('Bob', [4900, 4902])).toEqual(['stored', 'stored'])
  tcpOf(bob).resume()
  await bob.until(() => bob.delivered.length >= 4903)
  expect(seqsOf(bob, 'Bob')).toEqual(upTo(4902))
  expect(bob.delivered.findIndex(({ to }) => to.agent === 'Eve')).toBeLessThan(4902)
  expect(await send('Bob', [4902, 4903])).toEqual(['carried'])
}, 30_000)

test('a socket that drops in the middle of a drain loses nothing, and what was acknowledged does not come again', async () => {
  const { bobMachine, send, ackOf } = await scene()
  await send('Bob', [0, 2000], wide)
  const first = await connect(bobMachine)
  await first.until(() => first.delivered.length >= 300)
  await first.ask('return', ackOf('Bob', 199))
  await first.close()
  expect(await waiting(bobMachine)).toBe(1800)
  const second = await connect(bobMachine)
  await second.until(() => second.delivered.length >= 1800)
  expect(seqsOf(second, 'Bob')).toEqual(upTo(2000).slice(200))
  await second.ask('return', ackOf('Bob', 1999))
  expect(await waiting(bobMachine)).toBe(0)
}, 30_000)

test('what comes at the same time is stored together, and each frame hears of its own', async () => {
  const { bobMachine, send } = await scene()
  const states = await Promise.all(['Bob', 'Eve', 'Mallory'].map((agent) => send(agent, [0, 40])))
  expect(states.flat()).toEqual(Array(120).fill('stored'))
  const bob = await connect(bobMachine)
  await bob.until(() => bob.delivered.length >= 120)
  for (const agent of ['Bob', 'Eve', 'Mallory']) expect(seqsOf(bob, agent)).toEqual(upTo(40))
})

test('a drain that Postgres failed goes on by itself', async () => {
  const { bobMachine, send } = await scene()
  await send('Bob', [0, 10])
  await onServer(database.url, 'ALTER TABLE "MailboxMessage" RENAME TO "Away"')
  const bob = await connect(bobMachine)
  await onServer(database.url, 'ALTER TABLE "Away" RENAME TO "MailboxMessage"')
  await bob.until(() => bob.delivered.length >= 10)
  expect(seqsOf(bob, 'Bob')).toEqual(upTo(10))
}, 30_000)
