/** The HTTP fallback against whoever has a machine's API key, has recorded its requests, or is another machine: nobody gets in. */
import { PROOF_SKEW_MS } from '@agent-relay/protocol'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { type Changed, newNonce, provedHeaders } from '#lib/testing/http-proof.ts'
import { type LinkedMachine, linkMachine, makeIdentity, startGateway, type TestGateway } from '#lib/testing/machines.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { deleteDaemonSelf, postDaemonHeartbeat, postDaemonRegister } from './daemons.ts'
import { getPending, postAck, postRelay } from './messages.ts'

let database: TestDatabase
let gateway: TestGateway
let alice: LinkedMachine
let bob: LinkedMachine
let link: (name: string) => Promise<LinkedMachine>
let count = 0
const shared = globalThis as { [key: symbol]: unknown }

beforeAll(async () => {
  database = await createTestDatabase()
  shared[Symbol.for('agent-relay.db')] = database.db
  const { owner, org } = await foundTeam(database.db, 'olga', 'Acme')
  link = (name) => linkMachine(database.db, owner, org.id, name)
  gateway = await startGateway(database.db)
})
afterAll(async () => {
  await gateway.close()
  delete shared[Symbol.for('agent-relay.db')]
  await database.drop()
})
beforeEach(async () => {
  delete shared[Symbol.for('agent-relay.http-proofs')]
  ;[alice, bob] = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const machine = await link(`${name}${++count}`)
      const { publicKey } = machine.identity
      await database.db.machine.update({ where: { id: machine.id }, data: { publicKey } })
      return machine
    }) as [Promise<LinkedMachine>, Promise<LinkedMachine>],
  )
})

type Sent = { method: string; path: string; body?: string; headers?: Record<string, string> }
type Failure = { error?: { code: string; message: string; details?: { now?: number } } }
async function send(route: typeof getPending, { method, path, body, headers = {} }: Sent) {
  const request = new Request(`http://localhost:3000${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body }),
  })
  const answer = await route(request, { params: Promise.resolve({}) })
  return { status: answer.status, ...((await answer.json()) as Failure) }
}

const pending = { method: 'GET', path: '/api/messages/pending?limit=5' }
const beat = () => ({
  method: 'POST',
  path: '/api/daemons/heartbeat',
  body: JSON.stringify({ bootId: crypto.randomUUID(), version: '1' }),
})
/** What each endpoint takes when it is proved. */
const endpoints: [string, typeof getPending, () => Sent][] = [
  ['pending', getPending, () => pending],
  ['relay', postRelay, () => ({ ...beat(), path: '/api/messages/relay', body: JSON.stringify({ envelopes: [{}] }) })],
  ['ack', postAck, () => ({ ...beat(), path: '/api/messages/ack', body: '{}' })],
  ['heartbeat', postDaemonHeartbeat, beat],
  ['self', deleteDaemonSelf, () => ({ method: 'DELETE', path: '/api/daemons/self' })],
]
const registration = ({ identity }: LinkedMachine) => ({
  method: 'POST',
  path: '/api/daemons/register',
  body: JSON.stringify({ machineName: 'x', platform: 'linux', version: '1', publicKey: identity.publicKey }),
})

test.each(endpoints.filter(([name]) => name !== 'relay'))(
  '%s takes the machine’s proof, and nothing of its key alone',
  async (_, route, asked) => {
    const sent = asked()
    const refused = await send(route, { ...sent, headers: { authorization: `Bearer ${alice.key}` } })
    expect(refused).toMatchObject({ status: 403, error: { code: 'IDENTITY_MISMATCH' } })
    expect(await database.db.machine.findUnique({ where: { id: alice.id } })).toMatchObject({ revokedAt: null })
    expect(await send(route, { ...sent, headers: provedHeaders(alice, sent) })).toMatchObject({ status: 200 })
  },
)

test('a proof for something else, of somebody else or without form is refused, always with the same words', async () => {
  const refusals = new Set<string>()
  const refused = async (sent: Sent, headers: Record<string, string>, name: string) => {
    const answer = await send(getPending, { ...sent, headers })
    expect(answer, name).toMatchObject({ status: 403, error: { code: 'IDENTITY_MISMATCH' } })
    refusals.add(JSON.stringify([answer.status, answer.error?.code, answer.error?.message, answer.error?.details]))
  }
  const good = provedHeaders(alice, pending)
  const header = good['agent-relay-proof'] as string
  const [, at, nonce, signature] = header.split(' ') as [string, string, string, string]
  const changed: [string, string][] = [
    ['no word at all', ''],
    ['another version', header.replace('v1', 'v2')],
    ['another time', `v1 ${Number(at) - 1} ${nonce} ${signature}`],
    ['another nonce', `v1 ${at} ${newNonce()} ${signature}`],
    ['another signature', `v1 ${at} ${nonce} ${'A'.repeat(86)}`],
    ['a short nonce', `v1 ${at} abc ${signature}`],
    ['more behind it', `${header} x`],
    ['a long header', header + 'x'.repeat(5_000)],
  ]
  for (const [name, value] of changed) await refused(pending, { ...good, 'agent-relay-proof': value }, name)
  const others: [string, Sent, Changed][] = [
    ['another method', { ...pending, method: 'POST' }, {}],
    ['another query', { ...pending, path: '/api/messages/pending?limit=6' }, {}],
    ['no query', { ...pending, path: '/api/messages/pending' }, {}],
    ['another path', { ...pending, path: '/api/messages/ack?limit=5' }, {}],
    ['a body that is not sent', { ...pending, body: '{}' }, {}],
    ['another machine’s id', pending, { machineId: bob.id }],
    ['no id', pending, { machineId: '' }],
    ['another identity', pending, { signer: bob.identity }],
    ['an unknown identity', pending, { signer: makeIdentity() }],
  ]
  for (const [name, asked, change] of others) await refused(pending, provedHeaders(alice, asked, change), name)
  // Bob's own good proof beside Alice's key.
  await refused(pending, { ...provedHeaders(bob, pending), authorization: `Bearer ${alice.key}` }, 'of Bob')
  expect(refusals.size).toBe(1)
  expect(await send(getPending, { ...pending, headers: good })).toMatchObject({ status: 200 })
})

test('a body that was changed on its way is not taken, nor is what was signed for another', async () => {
  const [one, two] = [beat(), beat()]
  const headers = provedHeaders(alice, one)
  expect(await send(postDaemonHeartbeat, { ...two, headers })).toMatchObject({ error: { code: 'IDENTITY_MISMATCH' } })
  const spaced = { ...one, body: `${one.body} ` }
  expect(await send(postDaemonHeartbeat, { ...spaced, headers })).toMatchObject({
    error: { code: 'IDENTITY_MISMATCH' },
  })
  expect(await send(postDaemonHeartbeat, { ...one, headers })).toMatchObject({ status: 200 })
})

test('a request that was recorded is good once', async () => {
  const sent = { ...pending, headers: provedHeaders(alice, pending) }
  const answers = await Promise.all(Array.from({ length: 5 }, () => send(getPending, sent)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403, 403])
  // The nonce is used up for everything.
  const nonce = sent.headers['agent-relay-proof']?.split(' ')[2] as string
  const other = provedHeaders(alice, beat(), { nonce })
  expect(await send(postDaemonHeartbeat, { ...beat(), headers: other })).toMatchObject({ status: 403 })
  expect(await send(getPending, { ...pending, headers: provedHeaders(bob, pending, { nonce }) })).toMatchObject({
    status: 200,
  })
})

test('a clock that is far off is told the time, and only to the machine itself', async () => {
  const ask = (change: Changed) => send(getPending, { ...pending, headers: provedHeaders(alice, pending, change) })
  for (const offset of [PROOF_SKEW_MS + 5_000, -PROOF_SKEW_MS - 5_000, -(10 ** 10)]) {
    const answer = await ask({ at: Date.now() + offset })
    expect(answer).toMatchObject({ status: 401, error: { code: 'UNAUTHENTICATED' } })
    expect(Math.abs(Date.now() - (answer.error?.details?.now ?? 0))).toBeLessThan(10_000)
    expect(await ask({ at: answer.error?.details?.now ?? 0 })).toMatchObject({ status: 200 })
    expect(await ask({ at: Date.now() + offset, signer: bob.identity })).toMatchObject({ status: 403 })
  }
  expect(await ask({ at: Date.now() + PROOF_SKEW_MS - 5_000 })).toMatchObject({ status: 200 })
  // What was signed before this process began may have been used on the one before: it does not know.
  const before = Math.floor(performance.timeOrigin) - 10
  expect(await ask({ at: before })).toMatchObject({ status: 401 })
})

test('the memory for nonces has an end, which is one machine’s own', async () => {
  const { assertProved } = await import('#lib/auth/machine-proof.ts')
  const now = Date.now()
  const prove = (machine: LinkedMachine, at: number) =>
    assertProved(
      new Request(`http://localhost:3000${pending.path}`, { headers: provedHeaders(machine, pending, { at }) }),
      {
        ...{ body: new Uint8Array(), keyOf: machine.id },
        by: { machineId: machine.id, publicKey: machine.identity.publicKey },
      },
      at,
    )
  for (let i = 0; i < 6_000; i++) prove(alice, now)
  expect(() => prove(alice, now)).toThrow(/Too many/)
  prove(bob, now)
  // When they count no more there is room again.
  prove(alice, now + 2 * PROOF_SKEW_MS + 1)
})

test('a headless key registers whoever proves the identity that it brings, and nobody in another’s name', async () => {
  const fresh = await link('ci')
  const sent = registration(fresh)
  const register = (change: Changed, machine = fresh) =>
    send(postDaemonRegister, { ...sent, headers: provedHeaders(machine, sent, { machineId: '', ...change }) })
  const mismatch = { status: 403, error: { code: 'IDENTITY_MISMATCH' } }
  expect(await send(postDaemonRegister, { ...sent, headers: { authorization: `Bearer ${fresh.key}` } })).toMatchObject(
    mismatch,
  )
  expect(await register({ signer: makeIdentity() })).toMatchObject(mismatch)
  expect(await register({ machineId: fresh.id })).toMatchObject(mismatch)
  // Without an identity nothing else is open.
  expect(await send(getPending, { ...pending, headers: provedHeaders(fresh, pending) })).toMatchObject(mismatch)
  expect(await database.db.machine.findUnique({ where: { id: fresh.id } })).toMatchObject({ publicKey: null })
  expect(await register({})).toMatchObject({ status: 200 })
  expect(await send(getPending, { ...pending, headers: provedHeaders(fresh, pending) })).toMatchObject({ status: 200 })

  // The key that was stolen before, with the thief's own identity, well proved.
  const thief = { ...fresh, identity: makeIdentity() }
  const theirs = registration(thief)
  const stolen = { ...theirs, headers: provedHeaders(thief, theirs, { machineId: '' }) }
  expect(await send(postDaemonRegister, stolen)).toMatchObject(mismatch)
  // Somebody else's identity, which is public, with a key of one's own.
  const other = await link('other')
  expect(await register({ signer: other.identity }, other)).toMatchObject(mismatch)
})
