/**
 * The REST endpoints over a real HTTP server against bodies that are nearly right, not JSON, too large or cut off, and against
 * addresses and methods that do not exist: each ends in a typed error or a close, and the next request is served.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { Readable } from 'node:stream'
import { HttpError, httpBodies, LinkPollFailure } from '@agent-relay/protocol'
import { fixtures } from '@agent-relay/protocol/fixtures'
import { mutated } from '@agent-relay/protocol/fixtures/mutate'
import { within } from '@agent-relay/protocol/fixtures/steady'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { refuseUnknown } from '#lib/http/api-door.ts'
import { enterRequest } from '#lib/http/request-context.ts'
import { createLog } from '#lib/log.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { createGoldenOrg, type GoldenOrg } from '#lib/testing/golden.ts'
import { provedHeaders } from '#lib/testing/http-proof.ts'
import { startGateway, type TestGateway } from '#lib/testing/machines.ts'
import { postAgent } from './agents.ts'
import { postDaemonHeartbeat, postDaemonRegister } from './daemons.ts'
import { postLinkPoll, postLinkStart } from './link.ts'
import { postAck, postRelay } from './messages.ts'

const DEADLINE_MS = 10_000
type Route = typeof postAck
/** The endpoint of each golden body. */
const routes: Record<string, [path: string, route: Route]> = {
  'link.start': ['/api/link/start', postLinkStart],
  'link.poll': ['/api/link/poll', postLinkPoll],
  'daemons.register': ['/api/daemons/register', postDaemonRegister],
  'daemons.heartbeat': ['/api/daemons/heartbeat', postDaemonHeartbeat],
  'agents.register': ['/api/orgs/acme/agents', postAgent],
  'messages.relay': ['/api/messages/relay', postRelay],
  'messages.ack': ['/api/messages/ack', postAck],
}

let database: TestDatabase
let gateway: TestGateway
let org: GoldenOrg
let server: Server
let port: number
const shared = globalThis as { [key: symbol]: unknown }
const failures: string[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  shared[Symbol.for('agent-relay.db')] = database.db
  // What the handlers themselves take for a defect.
  shared[Symbol.for('agent-relay.log')] = createLog('warn', { write: (line) => failures.push(line) })
  org = await createGoldenOrg(database.db)
  gateway = await startGateway(database.db)
  const log = createLog('silent', { write: () => undefined })
  // As server.ts does it, with the handlers themselves in Next's place.
  server = createServer((request, response) => {
    enterRequest(request, response, log)
    const pathname = (request.url ?? '/').split('?', 1)[0] as string
    if (refuseUnknown(request, response, pathname)) return
    const route = Object.values(routes).find(([path]) => path === pathname)?.[1]
    if (!route || request.method !== 'POST') return void response.end('{}')
    serve(route, request).then(
      async (answer) => response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text()),
      (error) => {
        failures.push(String(error?.stack ?? error))
        response.destroy()
      },
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await gateway.close()
  delete shared[Symbol.for('agent-relay.db')]
  delete shared[Symbol.for('agent-relay.log')]
  await database.drop()
})

async function serve(route: Route, incoming: IncomingMessage): Promise<Response> {
  const body = Readable.toWeb(incoming) as ReadableStream<Uint8Array>
  const headers = incoming.headers as Record<string, string>
  const request = new Request(`http://localhost:3000${incoming.url}`, {
    method: 'POST',
    headers,
    body,
    duplex: 'half',
  } as RequestInit)
  return route(request, { params: Promise.resolve({ org: 'acme' }) })
}

/** Whoever registers says of whom it is the word. */
function machineIdIn(path: string, body: string | Uint8Array): string {
  if (path !== routes['daemons.register']?.[0]) return org.alice.id
  try {
    return String(JSON.parse(String(body)).machineId ?? '')
  } catch {
    return ''
  }
}

let address = 0
async function post(path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  // Limits per address are other tests' matter.
  const forwarded = `198.51.${(address >> 8) & 255}.${address++ & 255}`
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...provedHeaders(org.alice, { method: 'POST', path, body }, { machineId: machineIdIn(path, body) }),
      'x-forwarded-for': forwarded,
      ...headers,
    },
    body,
  })
  return { status: response.status, body: JSON.parse(await response.text()) as unknown }
}

/** A success of the endpoint's form, or an error of the API's that says what is wrong and is not ours. */
function check(name: string, answer: { status: number; body: unknown }, sent: string): void {
  expect(answer.status, sent).toBeLessThan(500)
  if (answer.status < 300) {
    httpBodies[`${name}.answer` as 'messages.ack.answer'].parse(answer.body)
    return
  }
  if (LinkPollFailure.safeParse(answer.body).success) return
  const { error } = HttpError.parse(answer.body)
  expect(error.message.length, sent).toBeGreaterThan(10)
  expect(error.message.length, sent).toBeLessThan(2_000)
}

const bodies = fixtures.filter(({ channel, frame }) => channel === 'http' && frame in routes)
const nearly = fc
  .constantFrom(...bodies)
  .chain(({ frame, value }) => fc.tuple(fc.constant(frame), mutated(value), fc.nat(9)))
  // Right ones cost a transaction and are other tests' matter: a few are enough.
  .filter(([frame, value, n]) => n === 0 || !httpBodies[frame as 'messages.ack'].safeParse(value).success)

test('bodies that are nearly right are answered by what is wrong with them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(nearly, { minLength: 5, maxLength: 5 }), async (asked) => {
      const answers = asked.map(async ([frame, value]) => {
        const text = JSON.stringify(value) ?? 'null'
        const [path] = routes[frame] as (typeof routes)[string]
        check(
          frame,
          await within(DEADLINE_MS, () => `${frame} ${text}`, post(path, text)),
          `${frame} ${text.slice(0, 500)}`,
        )
      })
      await Promise.all(answers)
    }),
    { numRuns: 150 },
  )
  expect(failures).toEqual([])
}, 60_000)

test.each([
  ['nothing', '', 400],
  ['half a text', '{"name":"A', 400],
  ['bytes that are no UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), 400],
  ['a list', '[]', 400],
  ['null', 'null', 400],
  ['ten thousand levels', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, 400],
  ['ten thousand levels within a field', `{"name":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`, 400],
  ['another prototype', '{"__proto__":{"name":"Alice"}}', 400],
  ['more than its limit', JSON.stringify({ name: 'x'.repeat(70_000) }), 413],
])('%s is refused by every endpoint', async (_, body, status) => {
  for (const [frame, [path]] of Object.entries(routes)) {
    const answer = await within(DEADLINE_MS, () => path, post(path, body))
    check(frame, answer, path)
    // Every field of an acknowledgement is optional, and a body may be large where messages are.
    const isTaken = path === '/api/messages/ack' || (status === 413 && path === '/api/messages/relay')
    if (!isTaken) expect(answer.status, path).toBe(status)
  }
  expect(failures).toEqual([])
})

test('what is over 6 MiB is refused where messages are, without being read to its end', async () => {
  const answer = await within(DEADLINE_MS, () => 'relay', post('/api/messages/relay', 'x'.repeat(6 * 1024 * 1024 + 1)))
  expect(answer).toMatchObject({ status: 413, body: { error: { code: 'TOO_LARGE' } } })
})

test('requests that are cut, lie about their length or are none end in an answer or a close, and none stays', async () => {
  const head = (path: string, length: number, more = '') =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${org.alice.key}\r\ncontent-length: ${length}\r\n${more}\r\n`
  const requests = fc.oneof(
    fc
      .constantFrom(...Object.values(routes))
      .chain(([path]) =>
        fc
          .record({ length: fc.nat(5_000), sent: fc.nat(300) })
          .map(({ length, sent }) => head(path, length) + '{'.repeat(sent)),
      ),
    fc
      .constantFrom(...Object.values(routes))
      .map(
        ([path]) =>
          `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\nzz\r\n`,
      ),
    fc.constantFrom(
      'GET / HTTP/9.9\r\n\r\n',
      'GET /api/%ff%00 HTTP/1.1\r\nhost: x\r\n\r\n',
      '\0\0\0\0',
      '\x16\x03\x01\x02\x00',
      'GET //api HTTP/1.1\r\nhost: x\r\n\r\n',
    ),
    fc.stringMatching(/^[A-Z]{1,12}$/).map((method) => `${method} /api/health HTTP/1.1\r\nhost: x\r\n\r\n`),
    fc
      .string({ maxLength: 40 })
      .map((path) => `GET /api/${encodeURIComponent(path.toWellFormed())} HTTP/1.1\r\nhost: x\r\n\r\n`),
    fc.string({ unit: 'binary', maxLength: 300 }),
  )
  const crowd = Array.from({ length: 20 }, () =>
    fc.assert(
      fc.asyncProperty(requests, async (bytes) => {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => undefined)
        await once(socket, 'connect')
        const gone = new Promise((resolve) => socket.once('close', resolve))
        socket.resume().end(bytes)
        await within(DEADLINE_MS, () => bytes, gone)
      }),
      { numRuns: 50 },
    ),
  )
  await Promise.all(crowd)
  const open = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)))
  const own = async () => (await open()) <= 32
  // What fetch keeps alive is ours; nothing of the thousand strangers is there.
  await expect.poll(own, { timeout: DEADLINE_MS }).toBe(true)
  expect(failures).toEqual([])
  check('link.poll', await post('/api/link/poll', '{"device_code":"x"}'), 'afterwards')
}, 60_000)
