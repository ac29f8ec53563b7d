/** relay.db damaged in every way that a disk or a person damages a file: said aloud, moved aside, and what can be saved is. */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { homePaths } from '../src/home/paths.ts'
import { daemonLab } from './daemon-process.ts'
import { buildBundle } from './support/bundle.ts'

let cli: string
let lab: ReturnType<typeof daemonLab>
let home: string
let db: string
beforeAll(() => {
  cli = buildBundle()
})
afterAll(() => rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true }))
beforeEach(() => {
  lab = daemonLab(cli)
  home = lab.home('one')
  db = homePaths(home).db
})
afterEach(() => lab.close())

type Wire = Awaited<ReturnType<typeof lab.connect>>
const PAGE = 4096
const aside = () => readdirSync(home).filter((name) => /^relay\.db\.broken-[\dTZ-]+$/.test(name))
const epochOf = (path: string) => {
  const file = new DatabaseSync(path, { readOnly: true })
  const { value } = file.prepare("SELECT value FROM meta WHERE key = 'outbox_epoch'").get() as { value: string }
  file.close()
  return value
}

/** Alice wrote to Bob, who has not read it, and Bob's answer was read. */
async function begin(more = 0) {
  const daemon = await lab.start(home)
  const alice = await lab.connect(home, 'Alice')
  const bob = await lab.connect(home, 'Bob')
  const kept = await alice.request('send', { to: 'Bob', body: 'not read yet' })
  const read = await bob.request('send', { to: 'Alice', body: 'read' })
  await alice.request('read', { message: read.id })
  await Promise.all(
    Array.from({ length: more }, (_, n) => alice.request('send', { to: 'Bob', body: `${n} ${'x'.repeat(500)}` })),
  )
  return { daemon, alice, bob, kept: kept.id }
}

async function stop(daemon: Awaited<ReturnType<typeof lab.start>>) {
  daemon.child.kill('SIGTERM')
  await daemon.end()
}

/** Somebody can tell, wherever they look, and it ends when they take note. */
async function expectSaid(daemon: Awaited<ReturnType<typeof lab.start>>, wire: Wire) {
  const [old = ''] = aside()
  expect(aside()).toHaveLength(1)
  const { health } = await wire.request('status', {})
  expect(health[0]).toMatch(/^relay\.db was damaged and replaced on \d{4}-\d\d-\d\d \d\d:\d\d \(.+\): /)
  expect(health[0]).toContain(old)
  for (const type of ['history', 'inbox', 'dead'] as const)
    expect((await wire.request(type, {})).notice).toMatch(
      /^relay\.db was damaged, and finished messages from before .* agent-relay status says more\.$/,
    )
  await expect(wire.request('trace', { message: 'ffffffff' })).rejects.toThrow(/Note: relay\.db was damaged/)
  for (const name of readdirSync(home).filter((file) => file.startsWith(old))) rmSync(join(home, name))
  expect((await wire.request('status', {})).health.join()).not.toContain('damaged')
  expect(await wire.request('history', {})).not.toHaveProperty('notice')
  daemon.child.kill('SIGTERM')
  expect((await daemon.end()).said).toMatch(/"level":"error","text":"relay\.db was damaged and replaced/)
}

test('a file that is no database', async () => {
  const { daemon } = await begin()
  await stop(daemon)
  const before = epochOf(db)
  writeFileSync(db, 'this is no database, and it is long enough to look like one'.repeat(100))
  const again = await lab.start(home)
  const alice = await lab.connect(home, 'Alice')
  expect((await alice.request('inbox', {})).entries).toEqual([])
  expect(readFileSync(join(home, aside()[0] ?? ''), 'utf8')).toMatch(/^this is no database/)
  await alice.request('send', { to: 'Alice', body: 'it goes on' })
  await expectSaid(again, alice)
  expect(epochOf(db)).not.toBe(before)
})

test('flipped bytes at the start: what still waits in an inbox is saved with its text, and names stay proved', async () => {
  const { daemon, kept } = await begin(2000)
  await stop(daemon)
  // The middle of the file: its first pages hold the small tables.
  const bytes = readFileSync(db)
  const from = Math.floor(bytes.length / PAGE / 2) * PAGE
  for (let at = from; at < from + 40 * PAGE; at++) bytes[at] = (bytes[at] ?? 0) ^ 0x5a
  writeFileSync(db, bytes)
  const before = epochOf(db)
  const again = await lab.start(home)
  const bob = await lab.connect(home, 'Bob')
  const person = await lab.connect(home)
  // A start looks at the small tables and the newest message only: the rest shows when it is read.
  const { entries } = await person.request('inbox', { agent: 'Bob', limit: 1000 }).catch(async () => {
    return person.request('inbox', { agent: 'Bob', limit: 1000 })
  })
  expect(entries[0]?.message).toMatchObject({ id: kept, body: 'not read yet' })
  expect(entries.length).toBeGreaterThan(100)
  expect(epochOf(db)).not.toBe(before)
  expect((await bob.request('whoami', {})).agent).toBe('Bob')
  await expectSaid(again, person)
})

test('damage that shows up in a running daemon: senders hear of it, agents go on, nothing is handed over twice', async () => {
  const { daemon, alice, bob, kept } = await begin(3000)
  await bob.request('subscribe', {})
  const [first] = await bob.delivered(1)
  expect(first?.message.id).toBe(kept)
  await bob.request('mark', { ids: [kept], state: 'injected' })
  // Everything is in the main file and in no cache: the log is written back, and a new process reads from the disk.
  await stop(daemon)
  const running = await lab.start(home)
  const [alice2, bob2] = [await lab.connect(home, 'Alice'), await lab.connect(home, 'Bob')]
  const file = openSync(db, 'r+')
  const pages = Math.floor(statSync(db).size / PAGE)
  for (let page = Math.floor(pages / 2); page < pages - 20; page++)
    writeSync(file, Buffer.alloc(PAGE, 0x5a), 0, PAGE, page * PAGE)
  closeSync(file)
  const before = epochOf(db)
  const errors: string[] = []
  let sent: string | undefined
  for (let n = 0; n < 50; n++) {
    await alice2.request('history', { limit: 1000 }).catch((error) => errors.push(error.code))
    sent = await alice2.request('send', { to: 'Bob', body: `after ${n}` }).then(
      (answer) => answer.id,
      (error) => void errors.push(error.code),
    )
    if (errors.length > 0 && sent !== undefined) break
  }
  expect(new Set(errors)).toEqual(new Set(['STORE_BROKEN']))
  expect(sent).toBeDefined()
  expect(epochOf(db)).not.toBe(before)
  expect((await alice2.request('whoami', {})).agent).toBe('Alice')
  await bob2.request('subscribe', {})
  const delivered = await bob2.delivered(1)
  expect(delivered.map(({ message }) => message.id)).not.toContain(kept)
  expect((await lab.connect(home, 'Carol')).agent).toBeNull()
  alice.close()
  await expectSaid(running, await lab.connect(home))
})

test('a truncated file', async () => {
  const { daemon } = await begin(1000)
  await stop(daemon)
  truncateSync(db, Math.floor(statSync(db).size / PAGE / 3) * PAGE)
  const again = await lab.start(home)
  const bob = await lab.connect(home, 'Bob')
  await bob.request('inbox', { limit: 1000 }).catch(() => undefined)
  await bob.request('send', { to: 'Bob', body: 'it goes on' })
  expect((await bob.request('inbox', { limit: 1000 })).entries.at(-1)?.message.body).toBe('it goes on')
  await expectSaid(again, await lab.connect(home))
})

test('a log that was deleted after a crash: the file is whole but older, so its streams begin anew', async () => {
  const { daemon } = await begin(10)
  await stop(daemon)
  const second = await lab.start(home)
  const alice = await lab.connect(home, 'Alice')
  await alice.request('send', { to: 'Bob', body: 'only in the log' })
  await lab.kill(second)
  expect(existsSync(`${db}-wal`)).toBe(true)
  const before = epochOf(db)
  for (const suffix of ['-wal', '-shm']) rmSync(db + suffix, { force: true })
  const again = await lab.start(home)
  const bob = await lab.connect(home, 'Bob')
  expect(epochOf(db)).not.toBe(before)
  expect((await bob.request('status', {})).health[0]).toContain('its last 1 messages are missing')
  expect((await bob.request('inbox', {})).entries.map((entry) => entry.message.body)).toContain('not read yet')
  await expectSaid(again, await lab.connect(home))
})

test('a file that was deleted while its mark was not', async () => {
  const { daemon } = await begin()
  await stop(daemon)
  rmSync(db)
  const again = await lab.start(home)
  const bob = await lab.connect(home, 'Bob')
  expect((await bob.request('status', {})).health[0]).toMatch(
    /^relay\.db was damaged and replaced on .* \(it was gone\)/,
  )
  await stop(again)
})

test('a crash in the middle of the exchange is finished by the next start', async () => {
  const { daemon, kept } = await begin()
  await stop(daemon)
  const { renameSync } = await import('node:fs')
  renameSync(db, `${db}.new`)
  rmSync(`${db}-mark`)
  await lab.start(home)
  const bob = await lab.connect(home, 'Bob')
  expect((await bob.request('inbox', {})).entries.map((entry) => entry.message.id)).toEqual([kept])
})
