import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createTRPCClient, httpBatchLink } from '@trpc/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { browserContext } from '#lib/auth/actor.ts'
import { openSession } from '#lib/auth/session.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { foundTeam } from '#lib/testing/people.ts'
import { handleTrpc } from './handler.ts'
import type { AppRouter } from './router.ts'

let database: TestDatabase
let server: Server
let url: string
let cookie: string
beforeAll(async () => {
  database = await createTestDatabase()
  server = createServer(async (request, response) => {
    const body = request.method === 'POST' ? await text(request) : undefined
    const headers = request.headers as Record<string, string>
    const answer = await handleTrpc(new Request(url + request.url, { method: request.method ?? 'GET', headers, body }))
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  Object.assign(process.env, { DATABASE_URL: database.url, PUBLIC_URL: 'http://relay.test', LOG_LEVEL: 'silent' })
  const { owner } = await foundTeam(database.db, 'olga', 'Acme')
  cookie = (await openSession(database.db, owner.userId)).split(';')[0] as string
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await (await browserContext(new Headers())).db.$disconnect()
  await database.drop()
})

const client = (headers: Record<string, string>) =>
  createTRPCClient<AppRouter>({
    links: [httpBatchLink({ url: `${url}/api/trpc`, headers })],
  })
const api = (headers: Record<string, string> = {}) => client({ cookie, origin: url, ...headers })

test('a page of ours reads and changes', async () => {
  expect(await api().me.get.query()).toMatchObject({
    user: { handle: 'olga' },
    orgs: [{ slug: 'acme' }, { slug: 'olga' }],
  })
  expect(await api().orgs.update.mutate({ org: 'acme', name: 'Acme 2' })).toMatchObject({ name: 'Acme 2' })
  expect(await api({ origin: 'http://relay.test' }).orgs.get.query({ org: 'acme' })).toMatchObject({ name: 'Acme 2' })
})

test.each(['https://evil.test', 'null', '', 'http://127.0.0.1:1', 'http://relay.test.evil.test'])(
  'a change that comes from %j changes nothing',
  async (origin) => {
    await expect(api({ origin }).orgs.update.mutate({ org: 'acme', name: 'Hacked' })).rejects.toMatchObject({
      data: { code: 'FORBIDDEN', httpStatus: 403 },
    })
    expect((await api().orgs.get.query({ org: 'acme' })).name).not.toBe('Hacked')
  },
)

test('a change by GET is refused', async () => {
  const input = encodeURIComponent(JSON.stringify({ org: 'acme', name: 'Hacked' }))
  const answer = await fetch(`${url}/api/trpc/orgs.update?input=${input}`, { headers: { cookie, origin: url } })
  expect(answer.status).toBe(405)
})

test('errors carry code, sentence, details and request id, and nothing of the inside', async () => {
  const raw = async (path: string, headers: Record<string, string> = { cookie }) => {
    const answer = await fetch(`${url}/api/trpc/${path}`, { headers: { 'x-request-id': 'request-1', ...headers } })
    const body = await answer.text()
    expect(body).not.toMatch(/stack|node_modules|prisma|\.ts/i)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    return { status: answer.status, ...JSON.parse(body).error }
  }
  const input = (value: unknown) => `?input=${encodeURIComponent(JSON.stringify(value))}`
  expect(await raw('me.get', {})).toMatchObject({
    status: 401,
    data: { code: 'UNAUTHENTICATED', requestId: 'request-1' },
  })
  expect(await raw('me.get', { cookie: 'next-auth.session-token=guess' })).toMatchObject({ status: 401 })
  expect(await raw(`orgs.get${input({ org: 'nowhere' })}`)).toMatchObject({ status: 404, data: { code: 'NOT_FOUND' } })
  expect(await raw(`messages.list${input({ org: 'acme', limit: 0 })}`)).toMatchObject({
    status: 400,
    message: expect.stringContaining('limit'),
    data: { code: 'BAD_REQUEST', details: { field: 'limit' } },
  })
  expect(await raw(`orgs.get?input=%7Bnonsense`)).toMatchObject({ status: 400, data: { code: 'BAD_REQUEST' } })
  expect(await raw('nothing.here')).toMatchObject({ status: 404, data: { code: 'NOT_FOUND' } })
  await expect(api().orgs.create.mutate({ name: 'X', slug: 'acme' })).rejects.toMatchObject({
    message: 'The slug "acme" is taken: "acme-2" is free.',
    data: { code: 'CONFLICT', httpStatus: 409, details: { field: 'slug', suggestion: 'acme-2' } },
  })
  await expect(api().orgs.create.mutate({ name: 'two\nlines' })).rejects.toMatchObject({
    data: { details: { field: 'name' } },
  })
})

test('what nobody foresaw says INTERNAL and no more', async () => {
  await database.db.$executeRaw`ALTER TABLE "Membership" RENAME TO "Away"`
  try {
    await expect(api().orgs.get.query({ org: 'acme' })).rejects.toMatchObject({
      message: expect.stringContaining('its log has the reason'),
      data: { code: 'INTERNAL', httpStatus: 500 },
    })
  } finally {
    await database.db.$executeRaw`ALTER TABLE "Away" RENAME TO "Membership"`
  }
})
