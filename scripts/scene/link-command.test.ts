/** `agent-relay link` and `unlink` as real processes against the control plane's own REST endpoints and Postgres. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { denyLink } from '#lib/services/link/deny-link.ts'
import { revokeMachine } from '#lib/services/machines/revoke-machine.ts'
import { contextOf } from '#lib/testing/people.ts'
import { startTestPlane, type TestPlane } from './test-plane.ts'

const main = fileURLToPath(new URL('../../daemon/src/cli/main.ts', import.meta.url))

let plane: TestPlane
let url: string
let folder: string
const children = new Set<ChildProcess>()

beforeAll(async () => {
  plane = await startTestPlane()
  url = plane.url
})
afterAll(() => plane.close())
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
  const answer = await plane.approve(code)
  expect(await answer.json()).toMatchObject({ org: { slug: plane.org.slug } })
}

const config = () => JSON.parse(readFileSync(path.join(folder, 'home/config.json'), 'utf8'))

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
  expect({ code, out }).toEqual({
    code: 0,
    out: `alice-mbp is linked to Acme (${url}/o/${plane.org.slug}) for olga.\n`,
  })
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
  expect(existsSync(path.join(folder, 'home/identity.key')), 'linked again it is another machine').toBe(false)
  expect(await plane.database.db.machine.findUniqueOrThrow({ where: { id: machine.id } })).toMatchObject({
    revokedAt: expect.any(Date),
  })
  expect(await relay(['unlink']).end).toMatchObject({ code: 3 })
}, 30_000)

test('a denial in the browser is the last word', async () => {
  const { end } = relay(['link', '--url', url], {
    onLine(line) {
      const userCode = codeIn(line)
      if (userCode) void denyLink(contextOf(plane.database.db, plane.owner), { userCode }).catch(() => undefined)
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
  const first = await plane.newKey('ci-1')
  const linked = await relay(['link', '--url', url, '--json'], { env: { AGENT_RELAY_KEY: first.key } }).end
  expect(linked.code).toBe(0)
  expect(JSON.parse(linked.out)).toMatchObject({ version: 1, machine: { id: first.machine.id, name: 'ci-1' } })
  expect(linked.said).not.toContain('Warning')
  await revokeMachine(contextOf(plane.database.db, plane.owner), { org: plane.org.id, machineId: first.machine.id })
  const second = await plane.newKey('ci-2')
  const again = await relay(['link', '--key', '-'], { env: { STDIN: `${second.key}\n` } }).end
  expect(again).toMatchObject({ code: 0, said: expect.stringContaining('has ended; linking anew') })
  expect(config().link).toMatchObject({ url, machine: { name: 'ci-2' } })
})

test('a key in argv works with a warning; a mistyped, a revoked and a copied key say which', async () => {
  const { key, machine } = await plane.newKey('ci-3')
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
  await revokeMachine(contextOf(plane.database.db, plane.owner), { org: plane.org.id, machineId: machine.id })
  const dead = await relay(['link', '--url', url], {
    env: { AGENT_RELAY_KEY: key, AGENT_RELAY_HOME: path.join(folder, 'dead') },
  }).end
  expect(dead).toMatchObject({ code: 1, said: expect.stringMatching(/was revoked or replaced/) })
})

test('unlinking while the control plane is away says what is left to do there', async () => {
  const { key } = await plane.newKey('ci-4')
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
  expect(existsSync(path.join(folder, 'home/identity.key')), 'it can become that machine again').toBe(true)
})
