/** The golden bodies of HTTP against the real handlers, with the relay beside them. */
import { HttpError, httpBodies } from '@agent-relay/protocol'
import { golden } from '@agent-relay/protocol/fixtures'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeMachineKey } from '#lib/auth/machine-key.ts'
import { openSession } from '#lib/auth/session.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { createGoldenOrg, type GoldenOrg, timeless, wireOf } from '#lib/testing/golden.ts'
import { provedHeaders } from '#lib/testing/http-proof.ts'
import { type LinkedMachine, startGateway, type TestGateway } from '#lib/testing/machines.ts'
import { postAgent } from './agents.ts'
import { postDaemonHeartbeat, postDaemonRegister } from './daemons.ts'
import { postLinkApprove, postLinkPoll, postLinkStart } from './link.ts'
import { getPending, postAck, postRelay } from './messages.ts'

type Route = typeof getPending
type Body = keyof typeof httpBodies

let database: TestDatabase
let gateway: TestGateway
let org: GoldenOrg
const shared = globalThis as { [key: symbol]: unknown }
beforeAll(async () => {
  database = await createTestDatabase()
  shared[Symbol.for('agent-relay.db')] = database.db
  org = await createGoldenOrg(database.db)
  gateway = await startGateway(database.db)
})
afterAll(async () => {
  await gateway.close()
  delete shared[Symbol.for('agent-relay.db')]
  await database.drop()
})

type Call = { body?: unknown; headers?: Record<string, string>; as?: LinkedMachine; machineId?: string }

/** The answer of a handler, which is exactly of the form that `schema` names. */
async function call(route: Route, form: Body, { body, headers, as, machineId = as?.id ?? '' }: Call) {
  const method = body === undefined ? 'GET' : 'POST'
  const asked = { method, path: '/api/x', ...(body !== undefined && { body: wireOf(body) }) }
  const request = new Request('http://localhost:3000/api/x', {
    method,
    headers: {
      ...{ 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.9' },
      ...(as && provedHeaders(as, asked, { machineId })),
      ...headers,
    },
    ...(body !== undefined && { body: wireOf(body) }),
  })
  const text = await (await route(request, { params: Promise.resolve({ org: org.slug }) })).text()
  expect(wireOf(httpBodies[form].parse(JSON.parse(text)))).toBe(text)
  return JSON.parse(text)
}
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

test('a link from its start to its key', async () => {
  const start = await call(postLinkStart, 'link.start.answer', {
    body: { ...golden('http/link.start.options'), publicKey: org.bob.identity.publicKey },
  })
  expect({ ...start, device_code: 0, user_code: 0, verification_uri_complete: 0 }).toEqual({
    ...golden('http/link.start.answer.usual'),
    ...{ device_code: 0, user_code: 0, verification_uri_complete: 0 },
  })
  const poll = { ...golden('http/link.poll.usual'), device_code: start.device_code }
  expect(await call(postLinkPoll, 'link.poll.failure', { body: poll })).toMatchObject({
    error: 'authorization_pending',
  })
  const cookie = (await openSession(database.db, org.owner.userId)).split(';')[0] as string
  const approval = new Request('http://localhost:3000/api/link/approve', {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie, origin: 'http://localhost:3000' },
    body: wireOf({ user_code: start.user_code, org: org.slug }),
  })
  expect((await postLinkApprove(approval, { params: Promise.resolve({}) })).status).toBe(200)
  const linked = await call(postLinkPoll, 'link.poll.answer', { body: poll })
  expect(linked).toMatchObject({ org: golden('http/link.poll.answer.usual').org, person: 'olga' })
})

test('a machine registers, beats, claims, relays, fetches and acknowledges', async () => {
  const [as, headers] = [org.alice, bearer(org.alice.key)]
  for (const kind of ['minimal', 'options']) {
    const body = golden(`http/daemons.register.${kind}`)
    await call(postDaemonRegister, 'daemons.register.answer', { as, body, machineId: body.machineId ?? '' })
  }
  const beat = await call(postDaemonHeartbeat, 'daemons.heartbeat.answer', {
    as,
    body: golden('http/daemons.heartbeat.usual'),
  })
  expect(timeless(beat)).toEqual(timeless(golden('http/daemons.heartbeat.answer.usual')))
  const claim = { ...golden('http/agents.register.options'), epoch: null }
  expect(await call(postAgent, 'agents.register.answer', { headers, body: claim })).toEqual(
    golden('http/agents.register.answer.usual'),
  )
  const batch = golden('http/messages.relay.usual')
  expect(await call(postRelay, 'messages.relay.answer', { as, body: batch })).toEqual(
    golden('http/messages.relay.answer.usual'),
  )
  const { bob } = org
  await database.db.machine.update({ where: { id: bob.id }, data: { publicKey: bob.identity.publicKey } })
  const page = await call(getPending, 'messages.pending.answer', { as: bob })
  const age = ({ ttlMs: _, ...rest }: { ttlMs: number }) => rest
  expect(page.envelopes.map(age)).toEqual(batch.envelopes.map(age))
  expect(page.next).toEqual(expect.any(String))
  const ack = golden('http/messages.ack.usual')
  expect(await call(postAck, 'messages.ack.answer', { as: bob, body: ack })).toEqual(
    golden('http/messages.ack.answer.done'),
  )
  expect(await call(getPending, 'messages.pending.answer', { as: bob })).toEqual(
    golden('http/messages.pending.answer.empty'),
  )
  const back = await call(getPending, 'messages.pending.answer', { as })
  expect(back.returned).toMatchObject([
    { from: bob.id, batch: { acks: ack.acks, gaps: ack.gaps, receipts: ack.receipts, heard: ack.heard } },
  ])
})

test('every refusal is a golden error', async () => {
  const refusals = [
    await call(getPending, 'error', {}),
    await call(getPending, 'error', { headers: bearer('ar_live_x') }),
    await call(getPending, 'error', { headers: bearer(makeMachineKey().key) }),
    await call(postRelay, 'error', { as: org.alice, body: { envelopes: [] } }),
    await call(getPending, 'error', { headers: bearer(org.alice.key) }),
  ]
  expect(refusals.map((one) => HttpError.parse(one).error.code)).toEqual([
    'UNAUTHENTICATED',
    'KEY_INVALID',
    'KEY_REVOKED',
    'BAD_REQUEST',
    'IDENTITY_MISMATCH',
  ])
})
