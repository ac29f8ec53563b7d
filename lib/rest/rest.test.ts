import { Linked, type LinkStartResponse, RegisterResponse } from '@agent-relay/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSession } from '#lib/auth/session.ts'
import type { UserActor } from '#lib/services/context.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { type Changed, provedHeaders } from '#lib/testing/http-proof.ts'
import {
  envelopeOf,
  type Identity,
  type LinkedMachine,
  linkMachine,
  makeIdentity,
  startGateway,
  type TestGateway,
} from '#lib/testing/machines.ts'
import { foundTeam, signUp } from '#lib/testing/people.ts'
import { deleteAgentByName, getAgentLocation, getAgents, postAgent } from './agents.ts'
import { deleteDaemonSelf, postDaemonHeartbeat, postDaemonRegister } from './daemons.ts'
import { postLinkApprove, postLinkPoll, postLinkStart } from './link.ts'
import { getPending, postAck, postRelay } from './messages.ts'

let database: TestDatabase
let owner: UserActor
let cookie: string
let foreignCookie: string
let org: { id: string; slug: string }
const shared = globalThis as { [key: symbol]: unknown }

beforeAll(async () => {
  database = await createTestDatabase()
  // The place where getDb() looks first: the handlers run as they do in the control plane.
  shared[Symbol.for('agent-relay.db')] = database.db
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  org = team.org
  cookie = cookieOf(await openSession(database.db, owner.userId))
  foreignCookie = cookieOf(await openSession(database.db, (await signUp(database.db, 'fred')).userId))
})
afterAll(async () => {
  delete shared[Symbol.for('agent-relay.db')]
  await database.drop()
})

const cookieOf = (setCookie: string): string => setCookie.split(';')[0] as string

type Route = (request: Request, context: { params: Promise<Record<string, string>> }) => Promise<Response>
type Call = {
  body?: unknown
  method?: string
  headers?: Record<string, string>
  /** Sends its key and its proof. */
  as?: LinkedMachine
  /** Of the proof. */
  changed?: Changed
  params?: Record<string, string>
  query?: string
}

async function call<T>(route: Route, { body, headers = {}, params = {}, query = '', as, ...rest }: Call = {}) {
  const { method = body === undefined ? 'GET' : 'POST', changed } = rest
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const proof = as && provedHeaders(as, { method, path: `/api/x${query}`, ...(text && { body: text }) }, changed)
  const request = new Request(`http://localhost:3000/api/x${query}`, {
    method,
    headers: { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.7', ...proof, ...headers },
    ...(text !== undefined && { body: text }),
  })
  const response = await route(request, { params: Promise.resolve(params) })
  return { status: response.status, body: (await response.json()) as T }
}

const bearer = (machine: { key: string }) => ({ authorization: `Bearer ${machine.key}` })
const fromPage = (value: string) => ({ cookie: value, origin: 'http://localhost:3000' })
const unbound = (name: string): Promise<LinkedMachine> => linkMachine(database.db, owner, org.id, name)
/** A machine whose identity is bound, as after linking in a browser. */
async function newMachine(name: string): Promise<LinkedMachine> {
  const machine = await unbound(name)
  const { publicKey } = machine.identity
  await database.db.machine.update({ where: { id: machine.id }, data: { publicKey } })
  return machine
}
type Failure = { error: { code: string; message: string; details?: Record<string, unknown>; requestId: string } }

describe('link', () => {
  const facts = { machineName: 'alice-mbp', platform: 'macOS', version: '0.1.0', publicKey: makeIdentity().publicKey }
  const start = async (body: object = facts) => (await call<LinkStartResponse>(postLinkStart, { body })).body
  const poll = (code: LinkStartResponse) => call<object>(postLinkPoll, { body: { device_code: code.device_code } })
  const approve = (code: LinkStartResponse, headers = fromPage(cookie), wanted = org.slug) =>
    call<Failure>(postLinkApprove, { headers, body: { user_code: code.user_code.toLowerCase(), org: wanted } })

  test('a person approves, and exactly one of twenty polls gets the key', async () => {
    const code = await start()
    expect(code.verification_uri_complete).toBe(`http://localhost:3000/link?code=${code.user_code}`)
    expect(await poll(code)).toMatchObject({ status: 400, body: { error: 'authorization_pending' } })
    expect(await poll(code)).toMatchObject({ status: 400, body: { error: 'slow_down' } })
    expect(await approve(code)).toMatchObject({
      status: 200,
      body: { machine: { name: 'alice-mbp' }, org: { slug: 'acme' } },
    })
    const polls = await Promise.all(Array.from({ length: 20 }, () => poll(code)))
    expect(polls.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(polls.filter(({ body }) => 'error' in body && body.error === 'expired_token')).toHaveLength(19)
    const linked = Linked.parse(polls.find(({ status }) => status === 200)?.body)
    const kept = await database.db.machine.findUniqueOrThrow({ where: { id: linked.machine.id } })
    expect(kept).toMatchObject({ publicKey: facts.publicKey, address: '192.0.2.7', userId: owner.userId })
    expect(JSON.stringify(kept)).not.toContain(linked.api_key)
    const entry = await database.db.auditEntry.findFirst({
      where: { action: 'machine.link', targetId: linked.machine.id },
    })
    expect(entry).toMatchObject({ actorId: owner.userId, address: '192.0.2.7' })

    // The same machine again: it stays the same, with a new key; the old one is dead.
    const again = await start()
    await approve(again)
    const relinked = Linked.parse((await poll(again)).body)
    expect(relinked.machine).toEqual(linked.machine)
    const old = await call<Failure>(postDaemonHeartbeat, { headers: bearer({ key: linked.api_key }), body: {} })
    expect(old).toMatchObject({ status: 401, body: { error: { code: 'KEY_REVOKED' } } })

    // Another machine of the same name gets one of its own.
    const other = await start({ ...facts, publicKey: makeIdentity().publicKey })
    expect(await approve(other)).toMatchObject({ body: { machine: { name: 'alice-mbp-2' } } })
  })

  test('nobody approves but a member, from our own page, a code that waits', async () => {
    const code = await start({ ...facts, publicKey: makeIdentity().publicKey })
    expect(await approve(code, fromPage(foreignCookie))).toMatchObject({
      status: 404,
      body: { error: { code: 'NOT_FOUND' } },
    })
    expect(await approve(code, { cookie, origin: 'https://evil.example' })).toMatchObject({ status: 403 })
    expect(await approve(code, { cookie: '', origin: 'http://localhost:3000' })).toMatchObject({ status: 401 })
    await database.db.deviceCode.updateMany({ where: { approvedAt: null }, data: { expiresAt: new Date() } })
    expect(await approve(code)).toMatchObject({ status: 410, body: { error: { code: 'EXPIRED' } } })
    expect(await poll(code)).toMatchObject({ status: 400, body: { error: 'expired_token' } })
  })

  test('guessing codes is ended after ten wrong ones', async () => {
    const guesser = fromPage(
      cookieOf(await openSession(database.db, (await foundTeam(database.db, 'gus', 'Guess')).owner.userId)),
    )
    const wrong = { device_code: '', user_code: 'BBBB-BBBB' } as LinkStartResponse
    const statuses: number[] = []
    for (let i = 0; i < 12; i++) statuses.push((await approve(wrong, guesser, 'guess')).status)
    expect(statuses).toEqual([...Array(10).fill(404), 429, 429])
  })

  test('the plan limit of machines is told with limit, use and plan', async () => {
    const free = await foundTeam(database.db, 'fay', 'Small')
    await database.db.organization.update({ where: { id: free.org.id }, data: { plan: 'free' } })
    await linkMachine(database.db, free.owner, free.org.id, 'first')
    const code = await start({ ...facts, publicKey: makeIdentity().publicKey })
    const headers = fromPage(cookieOf(await openSession(database.db, free.owner.userId)))
    expect(await approve(code, headers, 'small')).toMatchObject({
      status: 403,
      body: { error: { code: 'PLAN_LIMIT', details: { limit: 1, use: 1, plan: 'free' } } },
    })
  })
})

describe('daemons', () => {
  test('a headless key binds one identity, and leaves by itself', async () => {
    const machine = await unbound('ci')
    const facts = { machineName: 'whatever', platform: 'linux', version: '0.1.0' }
    const register = (identity: Identity) =>
      call(postDaemonRegister, {
        ...{ as: machine, changed: { machineId: '', signer: identity } },
        body: { ...facts, publicKey: identity.publicKey },
      })
    const first = await register(machine.identity)
    expect(RegisterResponse.parse(first.body)).toMatchObject({
      daemonId: machine.id,
      machine: { name: 'ci' },
      person: 'olga',
    })
    expect((await register(machine.identity)).status).toBe(200)
    expect(await register(makeIdentity())).toMatchObject({
      status: 403,
      body: { error: { code: 'IDENTITY_MISMATCH' } },
    })
    expect(await call(deleteDaemonSelf, { as: machine, method: 'DELETE' })).toMatchObject({ status: 200 })
    expect(await register(machine.identity)).toMatchObject({
      status: 401,
      body: { error: { code: 'KEY_REVOKED' } },
    })
  })

  test('the key of a person who left the organization is dead', async () => {
    const leaver = await signUp(database.db, 'lea')
    const membership = await database.db.membership.create({
      data: { orgId: org.id, userId: leaver.userId, role: 'admin' },
    })
    const machine = await linkMachine(database.db, leaver, org.id, 'lea-mbp')
    await database.db.machine.update({
      where: { id: machine.id },
      data: { publicKey: machine.identity.publicKey },
    })
    const beat = () => call(postDaemonHeartbeat, { as: machine, body: { bootId: crypto.randomUUID(), version: '1' } })
    expect((await beat()).status).toBe(200)
    await database.db.membership.delete({ where: { id: membership.id } })
    expect(await beat()).toMatchObject({ status: 401, body: { error: { code: 'KEY_REVOKED' } } })
  })

  test('a machine without a socket holds its lease by heartbeats', async () => {
    const machine = await newMachine('walled')
    const body = { bootId: crypto.randomUUID(), version: '0.1.0' }
    const beat = () => call(postDaemonHeartbeat, { as: machine, body })
    expect(await beat()).toMatchObject({ status: 200, body: { nextInMs: 30_000 } })
    await beat()
    expect(await database.db.machineSession.count({ where: { machineId: machine.id } })).toBe(1)
  })
})

describe('agents', () => {
  const agentsOf = (slug: string) => ({ params: { org: slug } })

  test('a name is registered, listed, located and freed; a second machine hears who holds it', async () => {
    const [one, two] = [await newMachine('one'), await newMachine('two')]
    await call(postDaemonHeartbeat, { as: one, body: { bootId: crypto.randomUUID(), version: '1' } })
    const register = (machine: LinkedMachine) =>
      call<Failure>(postAgent, { ...agentsOf('acme'), headers: bearer(machine), body: { name: 'Alice', model: 'm1' } })
    expect(await register(one)).toMatchObject({ status: 201, body: { name: 'Alice', epoch: 1, daemonId: one.id } })
    const taken = await register(two)
    expect(taken.status).toBe(409)
    expect(taken.body.error).toMatchObject({
      code: 'NAME_TAKEN',
      details: { owner: 'olga on one', suggestion: 'Alice-2' },
    })
    expect(taken.body.error.details?.freeInSeconds).toBeGreaterThan(80)
    const location = (name: string, headers = bearer(two) as Record<string, string>) =>
      call<Failure>(getAgentLocation, { params: { org: 'acme', name }, headers })
    expect(await location('alice')).toMatchObject({ status: 200, body: { daemonId: one.id, status: 'online' } })
    expect(await location('Alcie')).toMatchObject({ status: 404, body: { error: { details: { nearest: ['Alice'] } } } })
    expect(await location('Alice', { cookie: foreignCookie })).toMatchObject({ status: 404 })
    const list = await call<{ agents: object[] }>(getAgents, { ...agentsOf('acme'), headers: { cookie } })
    expect(list.body.agents).toEqual([expect.objectContaining({ name: 'Alice', machine: 'one', owner: 'olga' })])
    const remove = { params: { org: 'acme', name: 'Alice' }, method: 'DELETE', headers: fromPage(cookie) }
    expect(await call(deleteAgentByName, remove)).toMatchObject({ status: 200 })
    expect(await register(two)).toMatchObject({ status: 201, body: { epoch: 3, daemonId: two.id } })
  })

  test.each([
    ['a name with a newline', { name: 'Bob\n' }, 400, 'BAD_REQUEST'],
    ['no JSON', '{', 400, 'BAD_REQUEST'],
    ['a body without end', JSON.stringify({ name: 'x'.repeat(70_000) }), 413, 'TOO_LARGE'],
  ])('%s is refused with a code and a request id', async (_, body, status, code) => {
    const machine = await newMachine('bad')
    const answer = await call<Failure>(postAgent, { ...agentsOf('acme'), headers: bearer(machine), body })
    expect(answer).toMatchObject({ status, body: { error: { code, requestId: expect.any(String) } } })
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'a body that says it is %s is not read as JSON',
    async (type) => {
      const headers = { ...bearer(await newMachine('form')), 'content-type': type }
      const answer = await call<Failure>(postAgent, { ...agentsOf('acme'), headers, body: { name: 'Form' } })
      expect(answer).toMatchObject({ status: 415, body: { error: { code: 'UNSUPPORTED_MEDIA_TYPE' } } })
    },
  )

  test('fuzzing found: a body that was cut off was logged as a defect', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"name":'))
        controller.error(new Error('aborted'))
      },
    })
    const headers = { ...bearer(await newMachine('cut')), 'content-type': 'application/json' }
    const request = new Request('http://localhost:3000/x', {
      method: 'POST',
      headers,
      body,
      duplex: 'half',
    } as RequestInit)
    const answer = await postAgent(request, { params: Promise.resolve({ org: 'acme' }) })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      error: { code: 'BAD_REQUEST', message: expect.stringContaining('ended before') },
    })
  })

  test('another organization is not found, with whatever key', async () => {
    const other = await foundTeam(database.db, 'nina', 'Near')
    const machine = await newMachine('spy')
    for (const name of [other.org.id, other.org.slug, 'nowhere'])
      expect(await call(getAgents, { params: { org: name }, headers: bearer(machine) })).toMatchObject({ status: 404 })
  })
})

describe('messages over HTTP', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway(database.db)
  })
  afterAll(() => gateway.close())

  test('are relayed, fetched and acknowledged', async () => {
    const [ann, ben] = [await newMachine('ann'), await newMachine('ben')]
    await call(postAgent, { params: { org: 'acme' }, headers: bearer(ann), body: { name: 'Ann' } })
    const from = { machine: ann, agent: 'Ann', epoch: 1 }
    const sent = [0, 1, 2].map((seq) => envelopeOf(from, { machine: ben.id, agent: 'Ben' }, seq))
    const answer = await call<{ results: object[] }>(postRelay, { as: ann, body: { envelopes: sent } })
    expect(answer.body.results).toEqual(sent.map(({ id }) => ({ id, state: 'stored' })))
    type Pending = { envelopes: { id: string }[]; returned: { id: string }[]; next: string | null }
    const pending = async (machine: LinkedMachine, query = '') =>
      (await call<Pending>(getPending, { as: machine, query })).body
    const page = await pending(ben, '?limit=2')
    expect(page.envelopes.map(({ id }) => id)).toEqual(sent.slice(0, 2).map(({ id }) => id))
    expect((await pending(ben, `?after=${page.next}`)).envelopes.map(({ id }) => id)).toEqual([sent[2]?.id])
    const ack = { stream: 'Ann>Ben', outboxEpoch: 'e1', upTo: 2, to: ann.id }
    expect(await call(postAck, { as: ben, body: { acks: [ack] } })).toMatchObject({ status: 200 })
    expect(await pending(ben)).toEqual({ envelopes: [], returned: [], next: null })
    const back = await pending(ann)
    expect(back.returned).toEqual([
      { id: expect.any(String), from: ben.id, batch: { acks: [ack], gaps: [], receipts: [] } },
    ])
    await call(postAck, { as: ann, body: { read: back.returned.map(({ id }) => id) } })
    expect((await pending(ann)).returned).toEqual([])
  })
})
