/** The golden frames of the local socket against the daemon's own reader and writer, and against the client's. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { casesOf, fixtures, golden } from '@agent-relay/protocol/fixtures'
import { LocalRequest, localResults } from '@agent-relay/protocol/local'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openConnection, type Push } from '../../src/client/connection.ts'
import { fromWire } from '../../src/errors.ts'
import type { Connection } from '../../src/local/connection.ts'
import { parseLine } from '../../src/local/parse.ts'
import { listenLocally } from '../../src/local/server.ts'
import { openLog } from '../../src/log.ts'
import { type RawClient, rawClient } from './raw-local.ts'

const types = LocalRequest.options.map((option) => option.shape.type.value)
const ofChannel = fixtures.filter(({ channel }) => channel === 'local')
const requests = ofChannel.filter(({ frame }) => frame === 'hello' || types.some((type) => type === frame))
const results = ofChannel.filter(({ frame }) => frame.endsWith('.ok') && frame.slice(0, -3) in localResults)
const named = (of: typeof fixtures) => of.map((one) => ({ ...one, name: `${one.frame}.${one.case}` }))

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relay-golden-'))
  path = join(folder, 's')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the daemon', () => {
  test.each(named(requests))('reads $name', ({ wire, value }) => {
    expect(parseLine(wire).frame).toStrictEqual(value)
  })

  /** A real server whose sessions answer every request by `say`. */
  async function serving(say: (connection: Connection) => void, use: (client: RawClient) => Promise<void>) {
    const server = await listenLocally({
      path,
      version: '0.1.0',
      log: openLog(join(folder, 'log'), 'error', false),
      open: (connection, proof) => ({
        agent: proof?.name ?? null,
        handle: () => say(connection),
        closed: () => undefined,
      }),
    })
    const client = await rawClient(path)
    await use(client)
    client.socket.destroy()
    await server.close()
  }

  test.each(['person', 'agent'])('greets a %s', (who) =>
    serving(
      () => undefined,
      async ({ send, line }) => {
        send(`${JSON.stringify(golden(`local/hello.${who}`))}\n`)
        expect(await line()).toBe(casesOf('local', 'welcome').find((one) => one.case === who)?.wire)
      },
    ),
  )

  test.each(named(results))('writes $name', ({ value, wire }) =>
    serving(
      (connection) => connection.ok(1, (value as { result: unknown }).result),
      async ({ send, line }) => {
        send('{"type":"hello","v":2,"client":"x"}\n{"type":"whoami","id":1}\n')
        await line()
        expect(await line()).toBe(wire)
      },
    ),
  )

  test.each(named(casesOf('local', 'error')))('writes $name', ({ value, wire }) => {
    const { id, ...error } = value as Parameters<typeof fromWire>[0] & { id: number | null }
    return serving(
      (connection) => connection.fail(id, fromWire(error)),
      async ({ send, line }) => {
        send('{"type":"hello","v":2,"client":"x"}\n{"type":"whoami","id":1}\n')
        await line()
        expect(await line()).toBe(wire)
      },
    )
  })
})

describe('the client', () => {
  let server: Server
  let lines: string[]
  /** What the daemon says to the client's second line. */
  let reply: string
  let socket: Socket | undefined
  beforeEach(async () => {
    lines = []
    server = createServer((opened) => {
      socket = opened
      createInterface({ input: opened }).on('line', (line) => {
        lines.push(line)
        opened.write(`${lines.length === 1 ? JSON.stringify(golden('local/welcome.agent')) : reply}\n`)
        // After an error that is about no request, the daemon ends the connection.
        if (lines.length > 1 && reply.includes('"id":null')) opened.end()
      })
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
  })
  afterEach(() => {
    socket?.destroy()
    server.close()
  })
  const dial = (onPush?: (push: Push) => void) =>
    openConnection({ socket: path, client: 'cli/0.1.0', ...(onPush && { onPush }) })
  type Asked = Parameters<Awaited<ReturnType<typeof dial>>['request']>

  test('says hello as an agent', async () => {
    const { agent, client } = golden('local/hello.agent')
    const connection = await openConnection({ socket: path, client, agent })
    expect(connection.agent).toBe('Alice')
    expect(lines).toEqual(casesOf('local', 'hello').flatMap((one) => (one.case === 'agent' ? [one.wire] : [])))
  })

  test.each(named(requests).filter(({ frame }) => frame !== 'hello'))(
    'writes $name, reads every answer',
    async (one) => {
      const { type, id: _, ...fields } = one.value as { type: string; id: number }
      for (const answer of casesOf('local', `${one.frame}.ok`)) {
        lines = []
        reply = answer.wire
        const connection = await dial()
        const result = await connection.request(...([type, fields] as unknown as Asked))
        expect(lines).toEqual([JSON.stringify(golden('local/hello.person')), one.wire])
        expect(result).toStrictEqual((answer.value as { result: unknown }).result)
      }
    },
  )

  test('reads the error of a request, and the one that ends the connection', async () => {
    for (const { value, wire } of casesOf('local', 'error')) {
      lines = []
      reply = wire
      const connection = await dial()
      const { code, message, details } = value as { code: string; message: string; details: object }
      await expect(connection.request('whoami', {})).rejects.toMatchObject({ code, message, details })
    }
  })

  test('passes every push on as it came', async () => {
    const pushes = ['deliver', 'run.output', 'run.exit'].flatMap((frame) => casesOf('local', frame))
    const seen: unknown[] = []
    reply = [...pushes.map(({ wire }) => wire), '{"type":"ok","id":1,"result":null}'].join('\n')
    const connection = await dial((push) => seen.push(push))
    await connection.request('whoami', {})
    expect(seen).toStrictEqual(pushes.map(({ value }) => value))
  })
})
