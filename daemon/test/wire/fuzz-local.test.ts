/**
 * The local socket against everything that is no frame, or nearly one: each ends in a typed error or a close within a
 * deadline, nothing is left behind, and a healthy pair of agents beside it talks on. PROPERTY_SEED=random looks for new cases.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fixtures, golden } from '@agent-relay/protocol/fixtures'
import { mutated } from '@agent-relay/protocol/fixtures/mutate'
import { standing, within } from '@agent-relay/protocol/fixtures/steady'
import { Hello, LocalRequest, MAX_LINE_BYTES, ServerFrame } from '@agent-relay/protocol/local'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openConnection } from '../../src/client/connection.ts'
import { daemonHere } from './daemon-here.ts'
import { type RawClient, rawClient } from './raw-local.ts'

const DEADLINE_MS = 10_000
const HELLO_MS = 400

let folder: string
let daemon: Awaited<ReturnType<typeof daemonHere>>
let healthy: { talk(): Promise<void>; settled(): Promise<string[]>; close(): void }
const said: string[] = []
let turns = 0

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relay-fuzz-'))
  daemon = await daemonHere(join(folder, 'home'), { helloMs: HELLO_MS })
  const heard: string[] = []
  let wake: () => void = () => undefined
  const reader = await openConnection({
    socket: daemon.socket,
    client: 'healthy/1',
    onPush(push) {
      if (push.type !== 'deliver' || push.message.from !== 'HealthySender') return
      heard.push(push.message.body)
      void reader.request('mark', { ids: [push.message.id], state: 'seen' })
      wake()
    },
  })
  await reader.request('register', { name: 'HealthyReader' })
  await reader.request('subscribe', {})
  const sender = await openConnection({ socket: daemon.socket, client: 'healthy/1' })
  await sender.request('register', { name: 'HealthySender' })
  healthy = {
    /** Every tenth time: each is two commits that reach the disk. */
    async talk() {
      if (turns++ % 10 > 0) return
      const body = `message ${said.push('') - 1}`
      said[said.length - 1] = body
      await sender.request('send', { to: 'HealthyReader', body })
    },
    async settled() {
      while (heard.length < said.length)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      return heard
    },
    close() {
      reader.close()
      sender.close()
    },
  }
})
afterAll(async () => {
  healthy.close()
  await daemon.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** What the daemon may say to anything: a frame of its schema, and never that it failed. */
function checked(line: string): ServerFrame {
  const frame = ServerFrame.parse(JSON.parse(line))
  if (frame.type === 'error') {
    expect(frame.code, line).not.toBe('INTERNAL')
    expect(frame.message, line).toMatch(/\S.{8,}/)
  }
  return frame
}

/** Runs one case with a client of its own, with a word of the healthy pair beside it, and leaves no session behind. */
async function withClient<T>(what: () => string, use: (client: RawClient) => Promise<T>): Promise<T> {
  const client = await rawClient(daemon.socket)
  try {
    return await within(DEADLINE_MS, what, use(client))
  } finally {
    client.socket.destroy()
  }
}

const HELLO = JSON.stringify(golden('local/hello.person'))
const PROBE = 999_999

const asked = fixtures.filter(
  ({ channel, frame }) =>
    channel === 'local' && (frame === 'hello' || LocalRequest.options.some((one) => one.shape.type.value === frame)),
)
/** Starting programs is not the socket's matter, and a long wait is answered late because it was asked to. */
const isLeftOut = (value: unknown): boolean => {
  const parsed = LocalRequest.safeParse(value)
  return parsed.success && (parsed.data.type === 'run' || (parsed.data.type === 'wait' && parsed.data.timeoutMs > 20))
}
const nearly = fc
  .constantFrom(...asked)
  .chain(({ value }) => mutated(value))
  .filter((value) => !isLeftOut(value))

async function nearlyFrames(lines: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(nearly, { minLength: 10, maxLength: 10 }), async (values) => {
      const sent = values.map((value, n) =>
        typeof value === 'object' && value !== null && (value as { id?: unknown }).id === 1
          ? { ...value, id: 1000 + n }
          : value,
      )
      const text = sent.map((value) => JSON.stringify(value))
      const frames = await withClient(
        () => text.join('\n'),
        async (client) => {
          client.send(`${[HELLO, ...text, `{"type":"whoami","id":${PROBE}}`].join('\n')}\n`)
          const got: ServerFrame[] = []
          for (let line = await client.line(); line !== undefined; line = await client.line()) {
            got.push(checked(line))
            if ('id' in (got.at(-1) as object) && (got.at(-1) as { id: unknown }).id === PROBE) break
          }
          return got
        },
      )
      const last = frames.at(-1)
      const isClosed = !(last?.type === 'ok' && last.id === PROBE)
      if (isClosed) expect(last, text.join('\n')).toMatchObject({ type: 'error', id: null })
      const answers = frames.filter((frame) => frame.type === 'ok' || frame.type === 'error')
      for (const value of sent) {
        const id = (value as { id?: unknown } | null)?.id
        const isAsked = typeof id === 'number' && id >= 1000 && (value as { type?: unknown }).type !== 'hello'
        const count = answers.filter((frame) => frame.id === id).length
        // Some answers come after a commit, and a close does not wait for them.
        if (isAsked) expect(count, JSON.stringify(value)).toBeLessThanOrEqual(1)
        if (isAsked && !isClosed && LocalRequest.safeParse(value).success === false) expect(count).toBe(1)
      }
      await healthy.talk()
    }),
    { numRuns: lines / 10 },
  )
}

test('ten thousand lines that are nearly frames: typed errors, nothing left behind, and the healthy ones talk on', async () => {
  await nearlyFrames(2_000)
  await healthy.settled()
  const before = await standing()
  await nearlyFrames(10_000)
  expect(await healthy.settled()).toEqual(said)
  const after = await standing()
  await expect.poll(async () => (await standing()).handles, { timeout: DEADLINE_MS }).toEqual(before.handles)
  expect(after.heapBytes - before.heapBytes).toBeLessThan(8 * 1024 * 1024)
  expect(daemon.sessions()).toBe(2)
  expect(daemon.complaints).toEqual([])
}, 120_000)

/** Bytes that are no lines at all. */
const garbage = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom<string[]>(
      ...[
        '',
        '\n',
        '\r\n',
        '\0',
        '\ufeff{}',
        'null',
        '[]',
        '"x"',
        '1e999',
        '{',
        '{"type":',
        '}',
        'undefined',
        'NaN',
        '{}{}',
      ],
      ...[
        'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
        '{"type":"hello","v":1e400,"client":"x"}',
        '{"type":"hello","v":2,"client":"\ud800"}',
      ],
    )
    .map((text) => Buffer.from(text)),
  // Invalid UTF-8 within a text, and a character cut in its middle.
  fc
    .constantFrom([0xff], [0xc3, 0x28], [0xe2, 0x82], [0xf0, 0x9f, 0x9a], [0xed, 0xa0, 0x80])
    .map((bytes) =>
      Buffer.concat([Buffer.from('{"type":"whoami","id":3,"x":"'), Buffer.from(bytes), Buffer.from('"}\n')]),
    ),
  fc.integer({ min: 1, max: 50_000 }).map((depth) => Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}\n`)),
  fc
    .integer({ min: 1, max: 20_000 })
    .map((depth) => Buffer.from(`${'{"details":'.repeat(depth)}1${'}'.repeat(depth)}\n`)),
  fc
    .integer({ min: 1, max: 5_000 })
    .map((depth) => Buffer.from(`{"type":"send","id":4,"to":"x","body":${'['.repeat(depth)}${']'.repeat(depth)}}\n`)),
)

test('bytes that are no lines end in an error or a close, before and after hello', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(garbage, { minLength: 1, maxLength: 4 }), async (hasHello, parts) => {
      const bytes = Buffer.concat(parts)
      const lines = await withClient(
        () => bytes.toString('latin1'),
        async (client) => {
          if (hasHello) client.send(`${HELLO}\n`)
          client.send(bytes)
          client.socket.end()
          return client.rest()
        },
      )
      for (const line of lines) checked(line)
      await healthy.talk()
    }),
    { numRuns: 1_000 },
  )
  expect(await healthy.settled()).toEqual(said)
  expect(daemon.complaints).toEqual([])
}, 120_000)

test('lines cut at every byte are read as if they were whole', async () => {
  const body = 'ü🚀\\u0000"'
  const bytes = Buffer.from(
    `${HELLO}\n{"type":"send","id":1,"to":"HealthyReader","body":"${body.replace('"', '\\"')}"}\n{"type":"whoami","id":2}\n`,
  )
  for (let cut = 1; cut < bytes.length; cut++)
    await withClient(
      () => `cut at ${cut}`,
      async (client) => {
        client.send(bytes.subarray(0, cut))
        await new Promise((resolve) => setImmediate(resolve))
        client.send(bytes.subarray(cut))
        const types = [await client.line(), await client.line(), await client.line()].map(
          (line) => checked(line ?? '').type,
        )
        expect(types).toEqual(['welcome', 'ok', 'ok'])
      },
    )
})

test('a line without end is cut off at its limit, however it comes', async () => {
  for (const pieceBytes of [MAX_LINE_BYTES + 1, 100_000])
    await withClient(
      () => `an endless line in pieces of ${pieceBytes}`,
      async (client) => {
        client.send(`${HELLO}\n`)
        for (let sent = 0; sent <= MAX_LINE_BYTES; sent += pieceBytes) client.send('x'.repeat(pieceBytes))
        const frames = (await client.rest()).map(checked)
        expect(frames.at(-1)).toMatchObject({ type: 'error', id: null, code: 'TOO_LARGE' })
      },
    )
})

test('a client that never says hello, or dribbles it, is told and closed', async () => {
  const clients = await Promise.all(Array.from({ length: 40 }, () => rawClient(daemon.socket)))
  const dribble = setInterval(() => {
    for (const client of clients.slice(20)) if (!client.socket.destroyed) client.send('{')
  }, 20)
  const endings = await within(DEADLINE_MS, () => 'no hello', Promise.all(clients.map((client) => client.rest())))
  clearInterval(dribble)
  for (const lines of endings) expect(lines.map(checked)).toMatchObject([{ type: 'error', id: null, code: 'TIMEOUT' }])
  for (const client of clients) client.socket.destroy()
})

test('sockets that close in the middle leave nothing behind', async () => {
  const bytes = Buffer.from(
    `${HELLO}\n${asked.map(({ value }) => (isLeftOut(value) ? '' : `${JSON.stringify(value)}\n`)).join('')}`,
  )
  const before = await standing()
  for (let n = 0; n < 400; n++) {
    const client = await rawClient(daemon.socket)
    const gone = new Promise((resolve) => client.socket.once('close', resolve))
    client.socket.write(bytes.subarray(0, (n * 37) % bytes.length), () => client.socket.destroy())
    await within(DEADLINE_MS, () => `closed after ${n}`, gone)
    await healthy.talk()
  }
  expect(await healthy.settled()).toEqual(said)
  await expect.poll(() => daemon.sessions()).toBe(2)
  await expect.poll(async () => (await standing()).handles, { timeout: DEADLINE_MS }).toEqual(before.handles)
  expect(daemon.complaints).toEqual([])
}, 60_000)

test('a hello that comes twice, and requests before it, end the connection with what is wrong', async () => {
  for (const lines of [
    [HELLO, HELLO],
    ['{"type":"whoami","id":1}'],
    [JSON.stringify({ ...golden('local/hello.agent') })],
  ]) {
    expect(Hello.safeParse(JSON.parse(lines[0] ?? '')).success || lines.length === 1).toBe(true)
    const frames = await withClient(
      () => lines.join(),
      async (client) => {
        client.send(lines.map((line) => `${line}\n`).join(''))
        return (await client.rest()).map(checked)
      },
    )
    expect(frames.at(-1)).toMatchObject({
      type: 'error',
      id: null,
      code: expect.stringMatching(/BAD_REQUEST|UNAUTHENTICATED/),
    })
  }
})
