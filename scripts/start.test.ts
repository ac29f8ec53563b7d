import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { isAlive, untilGone } from '#lib/db/embedded/process.ts'
import { createTestDatabase } from '#lib/testing/database.ts'
import { buildPackage, buildPages } from './build.ts'

/** A start takes a second or two; on a busy machine, much more. */
const slow = 60_000
const buildWithinMs = 300_000

let base: string
beforeAll(async () => {
  base = mkdtempSync(path.join(tmpdir(), 'agent-relay-start-'))
  await buildPackage(() => {})
  await buildPages(() => {})
}, buildWithinMs)
afterAll(() => rmSync(base, { recursive: true }))

type Start = { child: ChildProcess; output: () => string; exited: Promise<number | null> }

/** `npm start` as a process, without npm. Ends with the test. */
function npmStart(variables: Record<string, string>): Start {
  const child = spawn(process.execPath, ['scripts/start.mjs'], {
    // A secret of the tests is none of this folder's, which makes one.
    env: { ...process.env, NODE_ENV: 'production', PORT: '0', AUTH_SECRET: '', npm_lifecycle_event: '', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk
    })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exited
  })
  return { child, output: () => text, exited }
}

/** Waits until the start has printed what is looked for. */
async function printed({ child, output, exited }: Start, pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const match = pattern.exec(output())
    if (match) return match
    const more = [once(child.stdout as never, 'data'), once(child.stderr as never, 'data'), exited.then(() => 'ended')]
    if ((await Promise.race(more)) === 'ended') throw new Error(`ended without ${pattern}:\n${output()}`)
  }
}

const url = async (start: Start) => (await printed(start, /Agent Relay runs at (\S+)/))[1] as string
const folderOf = (name: string) => path.join(base, name)
const postgresPid = (folder: string) =>
  Number(readFileSync(path.join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0])

describe('npm start', () => {
  test(
    'serves, prints URL and sign-in link, and ends everything on SIGTERM',
    async () => {
      const folder = folderOf('serves')
      const start = npmStart({ RELAY_DATA_DIR: folder })
      const origin = await url(start)
      await printed(start, /Sign in, once and within 15 minutes: http:\S+\/sign-in\/local\?token=\S{40,}/)
      expect(await (await fetch(`${origin}/api/ready`)).json()).toEqual({ ready: true })
      expect(await (await fetch(`${origin}/api/health`)).json()).toMatchObject({ status: 'ok', version: '0.1.0' })
      const page = await fetch(`${origin}/sign-in`)
      expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
      expect(page.headers.get('x-powered-by')).toBeNull()
      const pack = await fetch(`${origin}/agent-relay.tgz`)
      expect(pack.headers.get('content-type')).toBe('application/gzip')
      expect((await pack.arrayBuffer()).byteLength).toBeGreaterThan(10_000)
      expect(statSync(path.join(folder, 'auth-secret')).mode & 0o777).toBe(0o600)
      expect(statSync(path.join(folder, 'running.json')).mode & 0o777).toBe(0o600)
      const postgres = postgresPid(folder)
      start.child.kill('SIGTERM')
      expect(await start.exited).toBe(0)
      expect(isAlive(postgres)).toBe(false)
      await expect(fetch(`${origin}/api/health`)).rejects.toThrow()
      expect(start.output()).not.toMatch(/password|"token"/)
    },
    slow,
  )

  test(
    'starts again after kill -9, and finds its data',
    async () => {
      const variables = { RELAY_DATA_DIR: folderOf('killed') }
      const first = npmStart(variables)
      const origin = await url(first)
      const secret = readFileSync(path.join(variables.RELAY_DATA_DIR, 'auth-secret'), 'utf8')
      first.child.kill('SIGKILL')
      await first.exited
      const second = npmStart({ ...variables, PORT: new URL(origin).port })
      expect(await url(second)).toBe(origin)
      expect(readFileSync(path.join(variables.RELAY_DATA_DIR, 'auth-secret'), 'utf8')).toBe(secret)
    },
    slow,
  )

  test(
    'is told where the first one runs when the data folder is in use',
    async () => {
      const variables = { RELAY_DATA_DIR: folderOf('twice') }
      const first = npmStart(variables)
      const origin = await url(first)
      const second = npmStart(variables)
      expect(await second.exited).toBe(1)
      expect(second.output()).toMatch(
        new RegExp(`^The data folder \\S+ is in use by process ${first.child.pid}, at ${origin}: .*\n$`),
      )
      expect((await fetch(`${origin}/api/ready`)).status).toBe(200)
    },
    slow,
  )

  test(
    'recovers when its Postgres is killed',
    async () => {
      const folder = folderOf('database')
      const start = npmStart({ RELAY_DATA_DIR: folder })
      const origin = await url(start)
      process.kill(postgresPid(folder), 'SIGKILL')
      await printed(start, /Postgres runs again/)
      expect((await fetch(`${origin}/api/ready`)).status).toBe(200)
    },
    slow,
  )

  test(
    'leaves no server behind when it is killed',
    async () => {
      const folder = folderOf('orphan')
      const start = npmStart({ RELAY_DATA_DIR: folder })
      const origin = await url(start)
      const postgres = postgresPid(folder)
      const socket = connectTcp(Number(new URL(origin).port), '127.0.0.1')
      await once(socket, 'connect')
      start.child.kill('SIGKILL')
      await once(socket.resume(), 'close')
      await expect(fetch(`${origin}/api/health`)).rejects.toThrow()
      process.kill(postgres, 'SIGINT')
      await untilGone(postgres)
    },
    slow,
  )

  test(
    'on a database of its own needs no embedded one, and makes no data folder but the secret',
    async () => {
      const database = await createTestDatabase({ migrated: false })
      onTestFinished(() => database.drop())
      const start = npmStart({ RELAY_DATA_DIR: folderOf('external'), DATABASE_URL: database.url })
      const origin = await url(start)
      expect((await fetch(`${origin}/api/ready`)).status).toBe(200)
      start.child.kill('SIGINT')
      expect(await start.exited).toBe(0)
    },
    slow,
  )
})

describe('npm start stops with one line', () => {
  const lineOf = async (variables: Record<string, string>): Promise<string> => {
    const start = npmStart({ RELAY_DATA_DIR: folderOf('refused'), ...variables })
    expect(await start.exited).toBe(1)
    expect(start.output()).toMatch(/^[^\n]+\n$/)
    return start.output()
  }

  test(
    'that names a taken port and another one',
    async () => {
      const stranger = createServer().listen(0, '127.0.0.1')
      await once(stranger, 'listening')
      onTestFinished(() => void stranger.close())
      const { port } = stranger.address() as { port: number }
      expect(await lineOf({ PORT: `${port}` })).toContain(`Port ${port} on 127.0.0.1 is taken`)
      expect(await lineOf({ PORT: `${port}` })).toContain(`PORT=${port + 1} npm start`)
    },
    slow,
  )

  test(
    'that names a bad variable',
    async () => {
      expect(await lineOf({ PORT: '99999' })).toBe(
        'PORT is "99999" and must be a port from 0 to 65535: change it in the environment or in .env.\n',
      )
    },
    slow,
  )

  test(
    'that names an address which is not ours',
    async () => {
      expect(await lineOf({ HOST: '192.0.2.1' })).toContain('HOST is "192.0.2.1", which is no address of this computer')
    },
    slow,
  )

  test(
    'about a database that does not answer, without its password',
    async () => {
      const line = await lineOf({ DATABASE_URL: 'postgresql://me:hunter2@127.0.0.1:1/nowhere' })
      expect(line).toMatch(/^The database of DATABASE_URL does not take us \(connect ECONNREFUSED 127.0.0.1:1\)/)
      expect(line).not.toContain('hunter2')
    },
    slow,
  )

  test(
    'about a broken database folder',
    async () => {
      const folder = folderOf('broken')
      mkdirSync(path.join(folder, 'postgres/data'), { recursive: true })
      writeFileSync(path.join(folder, 'postgres/data/leftover'), '')
      expect(await lineOf({ RELAY_DATA_DIR: folder })).toContain('settings.json is missing or broken')
    },
    slow,
  )
})
