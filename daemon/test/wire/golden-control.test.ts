/** The golden frames of the control socket against the daemon's session and link, which talk to a server that says just these. */
import { createPublicKey, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { controlFrames, MACHINES_NAMESPACE, machineFrames, SOCKET_PATH, type Welcome } from '@agent-relay/protocol'
import { casesOf, type Fixture, golden, goldenKey } from '@agent-relay/protocol/fixtures'
import { Server, type Socket } from 'socket.io'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ControlLinkOptions, createControlLink } from '../../src/cloud/control-link.ts'
import { openSession, type Session } from '../../src/cloud/session.ts'

const auth = golden('control/auth.usual')
const identity = {
  publicKey: createPublicKey(goldenKey).export({ format: 'jwk' }).x as string,
  sign: (text: string) => sign(null, Buffer.from(text), goldenKey).toString('base64url'),
}
/** A clock that stands at the time that the golden heartbeat tells; what is due later never comes. */
const clock = { now: () => golden('control/heartbeat.usual').at as number, after: () => () => undefined }

let http: ReturnType<typeof createServer>
let io: Server
let url: string
beforeEach(async () => {
  http = createServer()
  io = new Server(http, { path: SOCKET_PATH, transports: ['websocket'] })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
})
afterEach(() => io.close())

/** Every event that comes, as the text that travelled, and what is said to it. */
const heard: [event: string, wire: string][] = []
let answers: Record<string, unknown>
beforeEach(() => {
  heard.length = 0
  answers = {
    heartbeat: golden('control/heartbeat.answer.usual'),
    'agents.sync': golden('control/agents.sync.answer.usual'),
  }
})

async function accepted(): Promise<Socket> {
  const [socket] = (await once(io.of(MACHINES_NAMESPACE), 'connection')) as [Socket]
  socket.onAny((event: string, input: unknown, reply: (answer: unknown) => void) => {
    heard.push([event, JSON.stringify(input)])
    if (answers[event] !== undefined) reply(answers[event])
  })
  return socket
}

/** Handlers that hand whatever they are called with to who waits for it. */
const handlers = (waiting: Map<string, (value: unknown) => void>): ControlLinkOptions['on'] =>
  new Proxy(
    {},
    { get: (_, event: string) => (value: unknown) => waiting.get(event)?.(value) },
  ) as ControlLinkOptions['on']

test('connects with the golden auth and proves itself with the golden signature', async () => {
  const server = accepted()
  const session = openSession({
    ...{ url, key: auth.key, bootId: auth.bootId, version: auth.version, speaks: auth.v, identity, clock },
    onUp: () => undefined,
    onEnd: () => undefined,
    onPush: () => undefined,
    onUnknown: () => undefined,
  })
  const socket = await server
  expect(JSON.stringify(socket.handshake.auth)).toBe(
    casesOf('control', 'auth').find((one) => one.case === 'usual')?.wire,
  )
  const proof = await socket.emitWithAck('challenge', golden('control/challenge.usual'))
  expect(JSON.stringify(proof)).toBe(casesOf('control', 'proof')[0]?.wire)
  session.end(new Error('done') as never)
})

describe('a session that is up', () => {
  let session: Session
  let socket: Socket
  beforeEach(async () => {
    const server = accepted()
    const up = new Promise<Welcome>((resolve) => {
      session = openSession({
        ...{ url, key: auth.key, bootId: auth.bootId, version: auth.version, speaks: auth.v, identity, clock },
        onUp: resolve,
        onEnd: () => undefined,
        onPush: () => undefined,
        onUnknown: () => undefined,
      })
    })
    socket = await server
    socket.emit('welcome', golden('control/welcome.people'))
    expect(await up).toStrictEqual(golden('control/welcome.people'))
    while (heard.length === 0) await once(socket.conn, 'packet')
    expect(heard.splice(0)).toEqual([['heartbeat', casesOf('control', 'heartbeat')[0]?.wire]])
  })
  afterEach(() => session.end(new Error('done') as never))

  const asked = Object.keys(machineFrames).flatMap((event) => casesOf('control', event))
  test.each(asked.map((one) => ({ ...one, name: `${one.frame}.${one.case}` })))(
    'sends $name and reads every answer to it',
    async ({ frame, value, wire }: Fixture) => {
      for (const answer of casesOf('control', `${frame}.answer`)) {
        answers[frame] = answer.value
        const { ok, value: result, error } = answer.value as { ok: boolean; value: unknown; error: object }
        const request = session.request(frame as 'relay', value as never)
        if (ok) expect(await request).toStrictEqual(result)
        else await expect(request).rejects.toMatchObject(error)
        expect(heard.splice(0)).toEqual([[frame, wire]])
      }
    },
  )
})

describe('a link', () => {
  const claims = golden('control/agents.sync.usual').agents
  /** The verb by which the daemon says each frame. */
  const verbs: Record<string, (link: ReturnType<typeof createControlLink>, frame: never) => Promise<unknown>> = {
    relay: (link, { envelopes }: { envelopes: never[] }) => link.relay(envelopes),
    return: (link, batch) => link.giveBack(batch),
    'agents.claim': (link, { agent }: { agent: never }) => link.claim(agent),
    'agents.status': (link, { changes }: { changes: never[] }) => link.setStatus(changes),
    'agents.release': (link, { name }: { name: string }) => link.release(name),
    traces: (link, { traces }: { traces: never[] }) => link.traces(traces),
  }
  const said = Object.keys(verbs).flatMap((event) => casesOf('control', event))
  let link: ReturnType<typeof createControlLink>
  let socket: Socket
  let pushed: (event: string) => Promise<unknown>
  beforeEach(async () => {
    const waiting = new Map<string, (value: unknown) => void>()
    pushed = (event) => new Promise((resolve) => waiting.set(event, resolve))
    const on = handlers(waiting)
    link = createControlLink({
      ...{ url, key: auth.key, bootId: auth.bootId, version: auth.version, identity, clock, on, agents: () => claims },
    })
    const server = accepted()
    const synced = pushed('claims')
    link.start()
    socket = await server
    socket.emit('welcome', golden('control/welcome.usual'))
    expect(await synced).toStrictEqual(golden('control/agents.sync.answer.usual').value.results)
    expect(heard.splice(0)).toContainEqual(['agents.sync', JSON.stringify(golden('control/agents.sync.usual'))])
  })
  afterEach(() => link.stop())

  test.each(said.map((one) => ({ ...one, name: `${one.frame}.${one.case}` })))('says $name', async (one: Fixture) => {
    answers[one.frame] = casesOf('control', `${one.frame}.answer`).find(
      ({ value }) => (value as { ok: boolean }).ok,
    )?.value
    // The golden answer is about the golden batch of two, so another batch may find its own results missing.
    await verbs[one.frame]?.(link, one.value as never).catch(() => undefined)
    expect(heard).toEqual([[one.frame, one.wire]])
  })

  test('gives up all names as an empty sync', async () => {
    await link.leave()
    expect(heard).toEqual([['agents.sync', JSON.stringify(golden('control/agents.sync.none'))]])
  })

  const taken: Record<string, { as: string; read?: (frame: never) => unknown }> = {
    roster: { as: 'delta' },
    deliver: { as: 'deliver', read: ({ envelopes }: { envelopes: unknown[] }) => envelopes },
    returned: { as: 'returned' },
    goodbye: { as: 'refused', read: ({ code, message }: { code: string; message: string }) => ({ code, message }) },
  }
  const pushes = Object.keys(controlFrames).filter((event) => event in taken)
  test.each(
    pushes.flatMap((event) => casesOf('control', event)).map((one) => ({ ...one, name: `${one.frame}.${one.case}` })),
  )('takes $name', async ({ frame, value }) => {
    const { as, read = (all) => all } = taken[frame] as (typeof taken)[string]
    const came = pushed(as)
    socket.emit(frame, value)
    expect(await came).toMatchObject(read(value as never) as object)
  })

  test('asks for the whole roster when a delta does not fit', async () => {
    for (const whole of casesOf('control', 'roster.get.answer')) {
      answers['roster.get'] = whole.value
      const came = pushed('roster')
      socket.emit('roster', { ...golden('control/roster.usual'), base: 70, version: 71 })
      expect(await came).toStrictEqual((whole.value as { value: unknown }).value)
      expect(heard.splice(0)).toEqual([['roster.get', '{}']])
    }
  })
})
