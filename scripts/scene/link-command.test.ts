/** `agent-relay link` and `unlink` as real processes against the control plane's own REST endpoints and Postgres. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openSession } from '#lib/auth/session.ts'
import { deleteDaemonSelf, postDaemonRegister } from '#lib/rest/daemons.ts'
import { postLinkApprove, postLinkPoll, postLinkStart } from '#lib/rest/link.ts'
import type { UserActor } from '#lib/services/context.ts'
import { denyLink } from '#lib/services/link/deny-link.ts'
import { createMachineKey } from '#lib/services/machines/create-machine-key.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'

const routes: Record<string, typeof postLinkStart> = {
  'POST /api/link/start': postLinkStart,
  'POST /api/link/poll': postLinkPoll,
  'POST /api/link/approve': postLinkApprove,
  'POST /api/daemons/register': postDaemonRegister,
  'DELETE /api/daemons/self': deleteDaemonSelf,
}
const main = fileURLToPath(new URL('../../daemon/src/cli/main.ts', import.meta.url))

let database: TestDatabase
let server: Server
let url: string
let owner: UserActor
let org: { id: string; slug: string }
let cookie: string
let folder: string
const children = new Set<ChildProcess>()

beforeAll(async () => {
  database = await createTestDatabase()
  server = createServer(async (request, response) => {
    const route = routes[`${request.method} ${request.url}`]
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const headers = new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    headers.set('x-forwarded-for', '192.0.2.7')
    const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined
    const asked = new Request(url + request.url, { method: request.method ?? 'GET', headers, ...(body && { body }) })
    const answer = (await route?.(asked, { params: Promise.resolve({}) })) ?? new Response(null, { status: 404 })
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  Object.assign(process.env, { DATABASE_URL: database.url, PUBLIC_URL: url })
  const team = await foundTeam(database.db, 'olga', 'Acme')
  owner = team.owner
  org = team.org
  cookie = (await openSession(database.db, owner.userId)).split(';', 1)[0] ?? ''
})
afterAll(async () => {
  server.close()
  await database.drop()
})
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relay-link-command-'))
})
afterEach(async () => {
  for (const child of children) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
})

type Run = { child: ChildProcess; said: string[]; end: Promise<{ code: number | null; out: string; said: string }> }

/** Starts the command on this test's home; `onLine` hears each line of its talk. */
function relay(
  args: string[],
  { env = {}, onLine }: { env?: Record<string, string>; onLine?: (line: string) => void } = {},
): Run {
  const child = spawn(process.execPath, ['--no-warnings', main, ...args], {
    env: {
      ...process.env,
      AGENT_RELAY_HOME: path.join(folder, 'home'),
      AGENT_RELAY_URL: '',
      AGENT_RELAY_KEY: '',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  children.add(child)
  child.stdin?.end(env.STDIN ?? '')
  let out = ''
  const said: string[] = []
  child.stdout?.on('data', (data) => {
    out += data
  })
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
    said.push(line)
    onLine?.(line)
  })
  const end = once(child, 'close').then(([code]) => {
    children.delete(child)
    return { code, out, said: said.join('\n') }
  })
  return { child, said, end }
}

const codeIn = (line: string): string | undefined => /\b[A-Z]{4}-[A-Z]{4}\b/.exec(line)?.[0]

async function approve(code: string): Promise<void> {
  const answer = await fetch(`${url}/api/link/approve`, {
    method: 'POST',
    headers: { cookie, origin: url, 'content-type': 'application/json' },
    body: JSON.stringify({ user_code: code, org: org.slug }),
  })
  expect(await answer.json()).toMatchObject({ org: { slug: org.slug } })
}

const config = () => JSON.parse(readFileSync(path.join(folder, 'home/config.json'), 'utf8'))
const newKey = async (name: string) => createMachineKey(contextOf(database.db, owner), { org: org.id, name })

test('a person approves the code, and the machine is linked, says to what, and leaves again', async () => {
  let approval: Promise<void> | undefined
  const { end } = relay(['link', '--url', url, '--name', 'alice-mbp', '--no-open'], {
    onLine(line) {
      const code = codeIn(line)
      if (code && !approval) approval = approve(code)
    },
  })
  const { code, out, said } = await end
  await approval
  expect({ code, out }).toEqual({ code: 0, out: `alice-mbp is linked to Acme (${url}/o/${org.slug}) for olga.\n` })
  expect(said).toMatch(
    new RegExp(`open ${url}/link\\?code=[A-Z]{4}-[A-Z]{4}\n.*\n.*10 minutes.\nNext: agent-relay up$`),
  )
  expect(statSync(path.join(folder, 'home/config.json')).mode & 0o777).toBe(0o600)
  const { key, machine } = config().link
  expect(out + said).not.toContain(key)

  expect(await relay(['link']).end).toMatchObject({ code: 0, said: expect.stringContaining('Already linked') })
  expect(await relay(['link', '--org', 'other']).end).toMatchObject({
    code: 1,
    said: expect.stringMatching(/alice-mbp is linked to Acme \(acme\) at .*agent-relay unlink$/),
  })
  expect(await relay(['unlink']).end).toMatchObject({ code: 0, out: expect.stringContaining('alice-mbp left Acme') })
  expect(config()).toEqual({ v: 1, link: null })
  expect(await database.db.machine.findUniqueOrThrow({ where: { id: machine.id } })).toMatchObject({
    revokedAt: expect.any(Date),
  })
  expect(await relay(['unlink']).end).toMatchObject({ code: 3 })
}, 30_000)

test('a denial in the browser is the last word', async () => {
  const { end } = relay(['link', '--url', url], {
    onLine(line) {
      const userCode = codeIn(line)
      if (userCode) void denyLink(contextOf(database.db, owner), { userCode }).catch(() => undefined)
    },
  })
  expect(await end).toMatchObject({
    code: 1,
    said: expect.stringMatching(/The request was denied in the browser\. To ask again, run: agent-relay link$/),
  })
}, 30_000)

test('Ctrl-C while it waits leaves nothing linked and ends at once', async () => {
  const run = relay(['link', '--url', url], {
    onLine: (line) => void (line.startsWith('Waiting') && run.child.kill('SIGINT')),
  })
  expect(await run.end).toMatchObject({ code: 1, said: expect.stringMatching(/Stopped; nothing was linked/) })
  expect(() => config()).toThrow('ENOENT')
})

test('a key links without a person, from the environment or stdin; its link ends when it is revoked, and can be made anew', async () => {
  const first = await newKey('ci-1')
  const linked = await relay(['link', '--url', url, '--json'], { env: { AGENT_RELAY_KEY: first.key } }).end
  expect(linked.code).toBe(0)
  expect(JSON.parse(linked.out)).toMatchObject({ version: 1, machine: { id: first.machine.id, name: 'ci-1' } })
  expect(linked.said).not.toContain('Warning')
  await revokeMachine(contextOf(database.db, owner), { org: org.id, machineId: first.machine.id })
  const second = await newKey('ci-2')
  const again = await relay(['link', '--key', '-'], { env: { STDIN: `${second.key}\n` } }).end
  expect(again).toMatchObject({ code: 0, said: expect.stringContaining('has ended; linking anew') })
  expect(config().link).toMatchObject({ url, machine: { name: 'ci-2' } })
})

test('a key in argv works with a warning; a mistyped, a revoked and a copied key say which', async () => {
  const { key, machine } = await newKey('ci-3')
  const typo = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`
  expect(await relay(['link', '--url', url, '--key', typo]).end).toMatchObject({
    code: 1,
    said: expect.stringMatching(/not a machine key.*agent-relay link/),
  })
  const good = await relay(['link', '--url', url, '--key', key]).end
  expect(good).toMatchObject({ code: 0, said: expect.stringContaining('Warning: a key on the command line') })
  expect(good.out + good.said).not.toContain(key)
  const copy = await relay(['link', '--url', url], {
    env: { AGENT_RELAY_KEY: key, AGENT_RELAY_HOME: path.join(folder, 'copy') },
  }).end
  expect(copy).toMatchObject({ code: 1, said: expect.stringMatching(/agent-relay/) })
  await revokeMachine(contextOf(database.db, owner), { org: org.id, machineId: machine.id })
  const dead = await relay(['link', '--url', url], {
    env: { AGENT_RELAY_KEY: key, AGENT_RELAY_HOME: path.join(folder, 'dead') },
  }).end
  expect(dead).toMatchObject({ code: 1, said: expect.stringMatching(/was revoked or replaced/) })
})

test('unlinking while the control plane is away says what is left to do there', async () => {
  const { key } = await newKey('ci-4')
  await relay(['link', '--url', url], { env: { AGENT_RELAY_KEY: key } }).end
  const known = config()
  writeFileSync(
    path.join(folder, 'home/config.json'),
    JSON.stringify({ ...known, link: { ...known.link, url: 'http://127.0.0.1:9' } }),
  )
  expect(await relay(['unlink']).end).toMatchObject({
    code: 0,
    said: expect.stringMatching(/Cannot reach http:\/\/127\.0\.0\.1:9.*\n.*revoke ci-4 at http/),
  })
  expect(config().link).toBeNull()
})
