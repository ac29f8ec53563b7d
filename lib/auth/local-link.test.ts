import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseEnv } from '#lib/env.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { getActor } from './actor.ts'
import { createSignInLink } from './local-link.ts'
import { handleLocalSignIn } from './local-sign-in.ts'
import { signInOptions } from './sign-in-options.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const open = (url: string, host = 'localhost:3000') =>
  handleLocalSignIn(new Request(url, { headers: { host } }), database.db)
const locationOf = (response: Response) => response.headers.get('location')

test('twenty tries at once of one link: exactly one signs in, and all make one person', async () => {
  const { url, expiresAt } = await createSignInLink(database.db)
  expect(url).toMatch(/^http:\/\/localhost:3000\/sign-in\/local\?token=[\w-]{43}$/)
  expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(14 * 60_000)
  const answers = await Promise.all(Array.from({ length: 20 }, () => open(url)))
  const winners = answers.filter((answer) => answer.headers.has('set-cookie'))
  expect(winners).toHaveLength(1)
  expect(answers.filter((answer) => locationOf(answer) === '/sign-in?error=LinkUsed')).toHaveLength(19)
  for (const answer of answers) expect(answer.headers.get('referrer-policy')).toBe('no-referrer')

  const cookie = winners[0]?.headers.get('set-cookie') ?? ''
  expect(cookie).toMatch(/^next-auth\.session-token=[\w-]{43}; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/)
  const actor = await getActor(new Headers({ cookie: `theme=dark; ${cookie.split(';')[0]}` }), database.db)
  expect(actor).toMatchObject({ kind: 'user' })
  const token = new URL(url).searchParams.get('token') as string
  const stored = JSON.stringify([await database.db.signInLink.findMany(), await database.db.session.findMany()])
  expect(stored).not.toContain(token)
  expect(stored).not.toContain(cookie.split(/[=;]/)[1])
})

test('many links at once make one local person with one personal organization, and each link a session', async () => {
  const fresh = await createTestDatabase()
  try {
    const links = await Promise.all(Array.from({ length: 8 }, () => createSignInLink(fresh.db)))
    const answers = await Promise.all(
      links.map(({ url }) => handleLocalSignIn(new Request(url, { headers: { host: '127.0.0.1:3000' } }), fresh.db)),
    )
    expect(answers.map(locationOf)).toEqual(Array(8).fill('/'))
    expect(await fresh.db.user.count()).toBe(1)
    expect(await fresh.db.session.count()).toBe(8)
    const orgs = await fresh.db.organization.findMany({ include: { memberships: true } })
    expect(orgs).toMatchObject([{ kind: 'personal', memberships: [{ role: 'owner' }] }])
  } finally {
    await fresh.drop()
  }
})

test('an expired link says so, and one that never was too', async () => {
  const { url } = await createSignInLink(database.db)
  await database.db.signInLink.updateMany({ where: { usedAt: null }, data: { expiresAt: new Date(Date.now() - 1) } })
  expect(locationOf(await open(url))).toBe('/sign-in?error=LinkExpired')
  expect(locationOf(await open('http://localhost:3000/sign-in/local?token=guess'))).toBe('/sign-in?error=LinkUnknown')
  expect(locationOf(await open('http://localhost:3000/sign-in/local'))).toBe('/sign-in?error=LinkUnknown')
})

test('a name that was rebound to this computer gets nothing, and the link stays good', async () => {
  const { url } = await createSignInLink(database.db)
  for (const host of ['evil.test:3000', 'localhost.evil.test', '127.0.0.1.evil.test', ''])
    expect(locationOf(await open(url, host))).toBe('/sign-in?error=LinkHost')
  for (const host of ['[::1]:3000']) expect(locationOf(await open(url, host))).toBe('/')
})

test('a session ends at its end', async () => {
  const { url } = await createSignInLink(database.db)
  const cookie = (await open(url)).headers.get('set-cookie')?.split(';')[0] ?? ''
  const headers = new Headers({ cookie })
  expect(await getActor(headers, database.db)).not.toBeNull()
  await database.db.session.updateMany({ data: { expires: new Date() } })
  expect(await getActor(headers, database.db)).toBeNull()
})

test.each([
  [{}, { github: false, local: true }],
  [
    { HOST: '0.0.0.0', PUBLIC_URL: 'http://relay.lan:3000' },
    { github: false, local: true },
  ],
  [
    { GITHUB_CLIENT_ID: 'a', GITHUB_CLIENT_SECRET: 'b' },
    { github: true, local: true },
  ],
  [
    { GITHUB_CLIENT_ID: 'a', GITHUB_CLIENT_SECRET: 'b', HOST: '0.0.0.0' },
    { github: true, local: false },
  ],
  [
    { GITHUB_CLIENT_ID: 'a', GITHUB_CLIENT_SECRET: 'b', PUBLIC_URL: 'https://x.test' },
    { github: true, local: false },
  ],
])('with %j the ways in are %j', (variables, expected) => {
  expect(signInOptions(parseEnv(variables))).toEqual(expected)
})
