import { rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { dirname, join } from 'node:path'
import { MAX_LINE_BYTES } from '@agent-relay/protocol/local'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
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

test('an unlinked daemon carries messages within its machine, and says what became of them', async () => {
  await lab.start(home)
  const alice = await lab.connect(home, 'Alice')
  const bob = await lab.connect(home, 'Bob')
  await bob.request('subscribe', {})
  const sent = await alice.request('send', { to: 'bob', body: 'hello', thread: 't1' })
  expect(sent.messages).toMatchObject([{ agent: 'Bob', state: 'accepted', note: expect.stringContaining('Bob') }])
  expect((await alice.request('trace', { message: sent.id })).tookMs, 'before anybody took it').toBeGreaterThan(0)
  const [first] = await bob.delivered(1)
  expect(first).toMatchObject({
    redelivered: false,
    message: { from: 'Alice', to: 'Bob', body: 'hello', thread: 't1' },
  })
  const waited = alice.request('wait', { ids: [sent.id], state: 'seen', timeoutMs: 10_000 })
  await bob.request('mark', { ids: [sent.id], state: 'injected' })
  await bob.request('mark', { ids: [sent.id], state: 'seen' })
  expect(await waited).toMatchObject({ isReached: true, messages: [{ state: 'seen', note: 'seen by Bob' }] })
  const trace = await alice.request('trace', { message: sent.id.slice(0, 30) })
  expect(trace.hops.map((hop) => hop.kind)).toEqual(['queued', 'accepted', 'injected', 'seen'])
  expect(trace).toMatchObject({ state: 'seen', path: 'local' })
  const [queuedMs = -1, acceptedMs = 0, injectedMs = 0, seenMs = 0] = trace.hops.map((hop) => hop.atMs)
  expect(trace.tookMs).toBe(acceptedMs)
  expect(queuedMs).toBe(0)
  expect(acceptedMs, 'from the request to the end of the commit').toBeGreaterThan(0)
  expect(injectedMs).toBeGreaterThan(acceptedMs)
  expect(seenMs).toBeGreaterThan(injectedMs)
})

test('what was queued before kill -9 is delivered once after the restart', async () => {
  const first = await lab.start(home)
  await (await lab.connect(home, 'Bob')).request('agents', {})
  const alice = await lab.connect(home, 'Alice')
  const sent = await alice.request('send', { to: 'Bob', body: 'survives' })
  await lab.kill(first)
  await lab.start(home)
  const bob = await lab.connect(home, 'Bob')
  await bob.request('subscribe', {})
  expect(await bob.delivered(1)).toMatchObject([{ redelivered: false, message: { id: sent.id, body: 'survives' } }])
  await bob.request('mark', { ids: [sent.id], state: 'injected' })
  const later = await lab.connect(home, 'Bob')
  expect(await later.request('subscribe', {})).toEqual({ waiting: 0 })
})

test('a message handed over without evidence comes again, marked as a repeat, also after kill -9', async () => {
  const first = await lab.start(home)
  const bob = await lab.connect(home, 'Bob')
  await bob.request('subscribe', {})
  const alice = await lab.connect(home, 'Alice')
  await alice.request('send', { to: 'Bob', body: 'twice' })
  expect((await bob.delivered(1))[0]?.redelivered).toBe(false)
  await lab.kill(first)
  await lab.start(home)
  const again = await lab.connect(home, 'Bob')
  await again.request('subscribe', {})
  expect(await again.delivered(1)).toMatchObject([{ redelivered: true, message: { body: 'twice' } }])
})

test('ten thousand messages arrive in order and once, over a kill -9 in between', async () => {
  let daemon = await lab.start(home)
  await lab.connect(home, 'Bob')
  const queued: string[] = []
  let alice = await lab.connect(home, 'Alice')
  for (let batch = 0; batch < 10; batch++) {
    if (batch === 5) {
      await lab.kill(daemon)
      daemon = await lab.start(home)
      alice = await lab.connect(home, 'Alice')
    }
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, n) => alice.request('send', { to: 'Bob', body: `${batch * 1000 + n}` })),
    )
    queued.push(...answers.map((answer) => answer.id))
  }
  const bob = await lab.connect(home, 'Bob')
  await bob.request('subscribe', {})
  for (let taken = 0; taken < 10_000; ) {
    const deliveries = await bob.delivered(taken + 1)
    const ids = deliveries.slice(taken).map(({ message }) => message.id)
    taken = deliveries.length
    for (let at = 0; at < ids.length; at += 1000)
      await bob.request('mark', { ids: ids.slice(at, at + 1000), state: 'injected' })
  }
  expect(bob.deliveries.map(({ message }) => message.id)).toEqual(queued)
  expect(bob.deliveries.map(({ message }) => Number(message.body))).toEqual(queued.map((_, n) => n))
}, 60_000)

test('a second daemon on a home ends with the pid of the first; the home is for its user only', async () => {
  const first = await lab.start(home)
  const { code, said } = await lab.spawnDaemon(home).end()
  expect(code).toBe(1)
  expect(said).toBe(
    `agent-relay: A daemon (pid ${first.child.pid}) already runs on ${home}: use it, or stop it with: agent-relay down\n`,
  )
  for (const path of [homePaths(home).socket, homePaths(home).db, homePaths(home).log])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  first.child.kill('SIGTERM')
  expect((await first.end()).code).toBe(0)
})

test('what cannot be sent is refused with what to do, and queues nothing', async () => {
  await lab.start(home)
  const alice = await lab.connect(home, 'Alice')
  await lab.connect(home, 'Robert')
  const refusal = (to: string, body = 'x') => alice.request('send', { to, body }).catch((error) => error)
  expect(await refusal('Robret')).toMatchObject({
    code: 'UNKNOWN_ADDRESS',
    message: expect.stringContaining('"Robert"'),
  })
  expect(await refusal('Robert\n')).toMatchObject({ code: 'UNKNOWN_ADDRESS', message: expect.stringContaining('\\n') })
  expect(await refusal('#general')).toMatchObject({ code: 'NOT_LINKED' })
  expect(await refusal('@carol')).toMatchObject({ code: 'NOT_LINKED' })
  expect(await refusal('backend:Robert')).toMatchObject({ code: 'UNKNOWN_ADDRESS' })
  expect(await refusal('backend:*')).toMatchObject({ code: 'EMPTY_AUDIENCE' })
  expect(await refusal('Robert', 'x'.repeat(256 * 1024 + 1))).toMatchObject({ code: 'TOO_LARGE' })
  // 256 KiB in bytes, not in characters.
  expect(await refusal('Robert', 'é'.repeat(128 * 1024 + 1))).toMatchObject({ code: 'TOO_LARGE' })
  expect((await alice.request('send', { to: 'Robert', body: 'é'.repeat(128 * 1024) })).messages).toHaveLength(1)
  await expect(alice.request('register', { name: 'Bo\nb' })).rejects.toMatchObject({ code: 'NAME_INVALID' })
  const { agents } = await alice.request('agents', {})
  expect(agents.find((agent) => agent.name === 'Robert')?.waiting).toBe(1)
})

test('broadcasts reach every other agent, or those of a project, and nobody twice', async () => {
  await lab.start(home)
  const alice = await lab.connect(home)
  await alice.request('register', { name: 'Alice', project: 'backend' })
  for (const [name, project] of [
    ['Bob', 'Backend'],
    ['Carol', 'web'],
  ] as const)
    await (await lab.connect(home)).request('register', { name, project })
  const to = async (address: string) =>
    (await alice.request('send', { to: address, body: 'all' })).messages.map((message) => message.agent)
  expect(await to('*:*')).toEqual(['Bob', 'Carol'])
  expect(await to('*')).toEqual(['Bob'])
  expect(await to('web:*')).toEqual(['Carol'])
})

test('only the token of an agent speaks as it; without one a connection is the person', async () => {
  await lab.start(home)
  const first = await lab.connect(home)
  const { token } = await first.request('register', { name: 'Alice' })
  await lab.connect(home, 'Bob')
  const hello = async (agent: { name: string; token: string }) => {
    const { openConnection } = await import('../src/client/connection.ts')
    return openConnection({ socket: homePaths(home).socket, client: 'test/1', agent })
  }
  expect((await hello({ name: 'alice', token })).agent).toBe('Alice')
  await expect(hello({ name: 'Alice', token: `${token}x` })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  await expect(hello({ name: 'Nobody', token })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  const person = await lab.connect(home)
  await person.request('send', { to: 'Bob', body: 'from a person' })
  const { agent } = await person.request('whoami', {})
  const { entries } = await person.request('inbox', { agent: 'Bob' })
  expect(entries.map((entry) => entry.message.from)).toEqual([agent])
})

test('a line that is no request is answered by what is wrong with it, and ends the connection', async () => {
  await lab.start(home)
  const cases = [
    ['{"type":"agents","id":1}', 'BAD_REQUEST'],
    ['hello?', 'BAD_REQUEST'],
    ['{"type":"hello","v":99,"client":"x"}', 'VERSION_UNSUPPORTED'],
    ['x'.repeat(MAX_LINE_BYTES + 1), 'TOO_LARGE'],
  ] as const
  for (const [line, code] of cases) {
    const socket = createConnection(homePaths(home).socket)
    socket.write(`${line}\n`)
    let answer = ''
    for await (const chunk of socket) answer += chunk
    expect(JSON.parse(answer)).toMatchObject({ type: 'error', id: null, code })
  }
})
