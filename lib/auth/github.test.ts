import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEmulator, type Emulator } from 'emulate'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type AuthServer, CookieJar, startAuthServer } from '#lib/testing/auth-server.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { getActor } from './actor.ts'
import { authOptions } from './options.ts'

let database: TestDatabase
let app: AuthServer
let github: Emulator
let api: { url: string; close(): Promise<void> }
/** Answers of the API that the emulator cannot be told to give, by path. */
let answers: Record<string, unknown> = {}

beforeAll(async () => {
  database = await createTestDatabase()
  app = await startAuthServer(() => authOptions(database.db))
  github = await createEmulator({
    service: 'github',
    port: await freePort(),
    seed: {
      github: {
        users: ['alice', 'settings', 'mallory', 'carol'].map((login) => ({
          login,
          name: login === 'carol' ? undefined : `${login} A.`,
          email: `${login}@acme.test`,
        })),
        oauth_apps: [
          {
            client_id: 'id',
            client_secret: 'sec',
            name: 'relay',
            redirect_uris: [`${app.url}/api/auth/callback/github`],
          },
        ],
      },
    },
  })
  api = await startApi()
  Object.assign(process.env, {
    NEXTAUTH_URL: app.url,
    PUBLIC_URL: app.url,
    AUTH_SECRET: 'x'.repeat(32),
    GITHUB_CLIENT_ID: 'id',
    GITHUB_CLIENT_SECRET: 'sec',
    GITHUB_URL: github.url,
    GITHUB_API_URL: api.url,
  })
})
beforeEach(() => {
  answers = {}
})
afterAll(async () => {
  await Promise.all([app.close(), github.close(), api.close()])
  await database.drop()
})

/** The emulator's API but for `answers`. */
async function startApi() {
  const server = createServer(async (request, response) => {
    const { authorization = '' } = request.headers
    const answer =
      request.url && answers[request.url]
        ? Response.json(answers[request.url])
        : await fetch(github.url + request.url, { headers: { authorization } })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const formOf = (fields: Record<string, string>) => ({ method: 'POST', body: new URLSearchParams(fields) })

/** To GitHub, where `login` says yes, and back; the last answer of next-auth. */
async function signIn(jar: CookieJar, login: string, callbackUrl = '/o/acme'): Promise<Response> {
  const { csrfToken } = (await (await jar.fetch(`${app.url}/api/auth/csrf`)).json()) as { csrfToken: string }
  const start = await jar.fetch(`${app.url}/api/auth/signin/github`, formOf({ csrfToken, callbackUrl }))
  const authorize = new URL(start.headers.get('location') ?? '')
  expect(authorize.origin).toBe(github.url)
  expect(authorize.searchParams.get('code_challenge_method')).toBe('S256')
  expect(authorize.searchParams.get('state')).toBeTruthy()
  const { redirect_uri, state, client_id, scope } = Object.fromEntries(authorize.searchParams) as Record<string, string>
  const consent = await fetch(`${github.url}/login/oauth/callback`, {
    ...formOf({ login, redirect_uri, state, client_id, scope } as Record<string, string>),
    redirect: 'manual',
  })
  return settled(jar, await jar.fetch(consent.headers.get('location') ?? ''))
}

/** next-auth goes to our error page by way of two of its own. */
async function settled(jar: CookieJar, response: Response): Promise<Response> {
  const location = response.headers.get('location') ?? ''
  return new URL(location, app.url).pathname.startsWith('/api/auth/')
    ? settled(jar, await jar.fetch(location))
    : response
}

const actorOf = (jar: CookieJar) =>
  getActor(new Headers({ cookie: [...jar.cookies].map((pair) => pair.join('=')).join('; ') }), database.db)

test('the first sign-in makes user, personal organization and session; the second finds them', async () => {
  const jar = new CookieJar()
  const back = await signIn(jar, 'alice')
  expect(back.headers.get('location')).toBe(`${app.url}/o/acme`)
  const user = await database.db.user.findFirstOrThrow({
    where: { handle: 'alice' },
    include: { memberships: { include: { org: true } }, accounts: true },
  })
  expect(user).toMatchObject({
    name: 'alice A.',
    email: 'alice@acme.test',
    emailVerified: expect.any(Date),
    image: `${github.url}/avatars/u/alice`,
    memberships: [{ role: 'owner', org: { kind: 'personal', slug: 'alice', name: 'alice A.' } }],
    accounts: [{ provider: 'github', access_token: null, refresh_token: null }],
  })
  expect(await actorOf(jar)).toEqual({ kind: 'user', userId: user.id, label: 'alice' })
  const audit = await database.db.auditEntry.findMany({ where: { actorId: user.id } })
  expect(audit).toMatchObject([{ action: 'org.create', actorLabel: 'alice' }])

  const other = new CookieJar()
  await signIn(other, 'alice')
  expect(await actorOf(other)).toEqual(await actorOf(jar))
  expect(other.cookies.get('next-auth.session-token')).not.toBe(jar.cookies.get('next-auth.session-token'))
  expect(await database.db.user.count({ where: { handle: 'alice' } })).toBe(1)
})

test('a login that is a reserved word gets a slug beside it, and one without a name goes by its login', async () => {
  await signIn(new CookieJar(), 'settings')
  await signIn(new CookieJar(), 'carol')
  const orgs = await database.db.organization.findMany({ where: { kind: 'personal' } })
  expect(orgs.map(({ slug, name }) => [slug, name])).toEqual(
    expect.arrayContaining([
      ['settings-2', 'settings A.'],
      ['carol', 'carol'],
    ]),
  )
})

test('an address that somebody else has links no account, and the sign-in page says why', async () => {
  answers = { '/user/emails': [{ email: 'Alice@acme.test', primary: true, verified: true }] }
  const jar = new CookieJar()
  const back = await signIn(jar, 'mallory')
  expect(back.headers.get('location')).toMatch(/\/sign-in\?.*error=OAuthAccountNotLinked/)
  expect(await actorOf(jar)).toBeNull()
  expect(await database.db.account.count()).toBe(await database.db.user.count())
})

test('an address that nobody verified is not taken, nor a picture from elsewhere', async () => {
  answers = {
    '/user/emails': [{ email: 'alice@acme.test', primary: true, verified: false }],
    '/user': { id: 4711, login: 'mallory', email: 'alice@acme.test', avatar_url: 'https://tracker.test/a.png' },
  }
  const jar = new CookieJar()
  await signIn(jar, 'mallory')
  expect(await actorOf(jar)).toMatchObject({ label: 'mallory' })
  expect(await database.db.user.findFirst({ where: { handle: 'mallory' } })).toMatchObject({
    email: null,
    emailVerified: null,
    image: null,
  })
})

test('after sign-in nobody is led to another site', async () => {
  for (const evil of ['https://evil.test/', '//evil.test', '/\\evil.test'])
    expect((await signIn(new CookieJar(), 'alice', evil)).headers.get('location')).toBe(`${app.url}/`)
})

test('a callback without the state that this browser was given signs nobody in', async () => {
  const jar = new CookieJar()
  const stolen = await signIn(new CookieJar(), 'alice')
  expect(stolen.status).toBe(302)
  const back = await settled(jar, await jar.fetch(`${app.url}/api/auth/callback/github?code=abc&state=made-up`))
  expect(back.headers.get('location')).toMatch(/\/sign-in\?.*error=OAuthCallback/)
  expect(await actorOf(jar)).toBeNull()
})

test('signing out ends the session in the database', async () => {
  const jar = new CookieJar()
  await signIn(jar, 'alice')
  const cookie = new Map(jar.cookies)
  const { csrfToken } = (await (await jar.fetch(`${app.url}/api/auth/csrf`)).json()) as { csrfToken: string }
  await jar.fetch(`${app.url}/api/auth/signout`, formOf({ csrfToken, callbackUrl: '/' }))
  expect(jar.cookies.has('next-auth.session-token')).toBe(false)
  for (const [name, value] of cookie) jar.cookies.set(name, value)
  expect(await actorOf(jar)).toBeNull()
})
