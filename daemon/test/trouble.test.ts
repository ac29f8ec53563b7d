/** The daemon's disk in trouble, and the SDK over a restart. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { connect } from '../src/client/index.ts'
import { homePaths } from '../src/home/paths.ts'
import { daemonLab } from './daemon-process.ts'
import { buildBundle } from './support/bundle.ts'

let cli: string
let lab: ReturnType<typeof daemonLab>
let home: string
beforeAll(() => {
  cli = buildBundle()
})
afterAll(() => rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true }))
beforeEach(() => {
  lab = daemonLab(cli)
  home = lab.home('one')
})
afterEach(() => lab.close())

test.runIf(process.platform === 'linux')(
  'when the disk takes no more the sender is told, the daemon lives, and it heals by itself',
  async () => {
    // Files of at most 2 MiB stand for a full disk: the write fails in the middle of a transaction all the same.
    const shell = `trap '' XFSZ; ulimit -S -f 2048; exec "${process.execPath}" "${join(dirname(cli), 'daemon.js')}" --foreground`
    const child = spawn('bash', ['-c', shell], {
      env: { ...process.env, AGENT_RELAY_HOME: home },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    try {
      for await (const line of createInterface({ input: child.stderr })) if (line.includes('"text":"ready"')) break
      const alice = await lab.connect(home, 'Alice')
      await lab.connect(home, 'Bob')
      const queued: string[] = []
      let refusal: unknown
      while (refusal === undefined && queued.length < 100)
        await alice.request('send', { to: 'Bob', body: 'x'.repeat(200_000) }).then(
          (sent) => queued.push(sent.id),
          (error) => {
            refusal = error
          },
        )
      expect(refusal).toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('nothing was queued') })
      expect(queued.length).toBeGreaterThan(2)
      expect((await alice.request('status', {})).pid).toBe(child.pid)
      execFileSync('prlimit', [`--pid=${child.pid}`, '--fsize=unlimited:'])
      const after = await alice.request('send', { to: 'Bob', body: 'room again' })
      const { entries } = await alice.request('inbox', { agent: 'Bob', limit: 1000 })
      expect(entries.map((entry) => entry.message.id)).toEqual([...queued, after.id])
    } finally {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
  },
)

test('a database of a newer version is refused, named, and left as it is', async () => {
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const database = new DatabaseSync(homePaths(home).db)
  database.exec('PRAGMA user_version = 99')
  database.close()
  const { code, said } = await lab.spawnDaemon(home).end()
  expect(code).toBe(1)
  expect(said).toContain(`${homePaths(home).db} was written by a newer agent-relay (schema 99`)
})

test('an agent of the SDK gets, acknowledges and answers messages, and goes on after the daemon was killed', async () => {
  const daemon = await lab.start(home)
  const alice = await connect({ name: 'Alice', home })
  const bob = await connect({ name: 'Bob', home })
  const inbox = bob.messages()
  await alice.send('Bob', 'one', { thread: 'plan' })
  const first = (await inbox.next()).value
  expect(first).toMatchObject({ body: 'one', isRepeat: false })
  const reply = await first?.reply('two')
  expect(reply?.messages).toMatchObject([{ agent: 'Alice', state: 'accepted' }])
  await first?.ack('seen')
  const replies = alice.messages()
  const answer = (await replies.next()).value
  expect(answer).toMatchObject({ body: 'two', thread: 'plan', replyTo: first?.id })
  await answer?.ack()
  await lab.kill(daemon)
  await expect(alice.send('Bob', 'nobody there')).rejects.toMatchObject({ code: 'DAEMON_DOWN' })
  await lab.start(home)
  const carol = await connect({ name: 'Carol', home })
  await carol.send('Bob', 'three')
  expect((await inbox.next()).value).toMatchObject({ body: 'three', from: 'Carol' })
  await expect(carol.send('Bob', 'x', { ttl: 'soon' })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  await Promise.all([alice.close(), bob.close(), carol.close()])
  expect((await inbox.next()).done).toBe(true)
})

test('a message that nobody takes in time fails, and its sender is told in-band', async () => {
  await lab.start(home)
  await lab.connect(home, 'Bob')
  const alice = await lab.connect(home, 'Alice')
  await alice.request('subscribe', {})
  const sent = await alice.request('send', { to: 'Bob', body: 'quick', ttlMs: 50 })
  const waited = await alice.request('wait', { ids: [sent.id], state: 'injected', timeoutMs: 15_000 })
  expect(waited).toMatchObject({ isReached: false, messages: [{ state: 'failed' }] })
  const [notice] = await alice.delivered(1)
  expect(notice?.message).toMatchObject({ from: '[relay]', body: expect.stringContaining(sent.id) })
  expect((await alice.request('trace', { message: sent.id })).reason).toContain('time to live ended')
})
