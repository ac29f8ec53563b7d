/** The golden frames of the control socket against the daemon's session and link, which talk to a server that says just these. */
import { createPublicKey, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  controlFrames,
  controlVersions,
  isKnownIn,
  MACHINES_NAMESPACE,
  machineFrames,
  type SignedKind,
  SOCKET_PATH,
  type Welcome,
} from '@agent-relay/protocol'
import { newKeyPair, privateKeyOf, signValue } from '@agent-relay/protocol/crypto'
import { casesOf, type Fixture, golden, goldenKey } from '@agent-relay/protocol/fixtures'
import { Server, type Socket } from 'socket.io'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ControlLinkOptions, createControlLink } from '../../src/cloud/control-link.ts'
import { type RosterTrust, rosterReader } from '../../src/cloud/roster-trust.ts'
import { openSession, type Session } from '../../src/cloud/session.ts'

const auth = golden('control/auth.usual')
const identity = {
  publicKey: createPublicKey(goldenKey).export({ format: 'jwk' }).x as string,
  sign: (text: string) => sign(null, Buffer.from(text), goldenKey).toString('base64url'),
}
/** The organization's key in frames that are signed here, because their golden content is written plainly. */
const control = newKeyPair('Ed25519')
const { org, machineId } = golden('control/challenge.usual') as { org: string; machineId: string }
const signed = (kind: SignedKind, value: unknown) => signValue(privateKeyOf('Ed25519', control), kind, org, value)
/** A welcome of version 2 as version 3 says it. */
const welcomeIn = (v: number, welcome: { roster: unknown }) =>
  v < 3 ? { ...welcome, v } : { ...welcome, v, controlKey: control.publicKey, roster: signed('roster', welcome.roster) }
const isSigned = (value: unknown): boolean => typeof (value as { text?: unknown }).text === 'string'

function trustOf(key?: string, version?: number): RosterTrust {
  let pinned = key
  return {
    ...{ org, machine: machineId, controlKey: () => pinned },
    known: () => (version === undefined ? undefined : { version, machines: new Map() }),
    pin(told) {
      pinned = told
    },
  }
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

function open(speaks: number, more: Partial<Parameters<typeof openSession>[0]> = {}): Session {
  return openSession({
    ...{ url, key: auth.key, bootId: auth.bootId, version: auth.version, speaks, identity, clock },
    ...{ trust: rosterReader(url, trustOf()), seals: () => [] },
    ...{ onUp: () => undefined, onEnd: () => undefined, onPush: () => undefined },
    ...{ onUnknown: () => undefined, onEcho: () => undefined },
    ...more,
  })
}

test.each(casesOf('control', 'auth'))('connects with the golden auth.$case', async ({ wire, value }) => {
  const server = accepted()
  const session = open((value as { v: number }).v)
  expect(JSON.stringify((await server).handshake.auth)).toBe(wire)
  session.end(new Error('done') as never)
})

test.each(casesOf('control', 'proof'))('proves itself with the golden proof.$case', async ({ wire, value }) => {
  const server = accepted()
  const { seals, rosterVersion } = value as { seals?: never[]; rosterVersion?: number | null }
  const trust = rosterReader(url, trustOf(undefined, rosterVersion ?? undefined))
  const session = open(seals === undefined ? 2 : 3, { trust, seals: () => seals ?? [] })
  const proof = await (await server).emitWithAck('challenge', golden('control/challenge.usual'))
  expect(JSON.stringify(proof)).toBe(wire)
  session.end(new Error('done') as never)
})

describe.each([2, 3])('a session of version %d that is up', (v) => {
  let session: Session
  let socket: Socket
  beforeEach(async () => {
    const server = accepted()
    const up = new Promise<Welcome>((resolve) => {
      session = open(v, { onUp: resolve })
    })
    socket = await server
    socket.emit('welcome', welcomeIn(v, golden('control/welcome.people')))
    expect(await up).toStrictEqual({ ...golden('control/welcome.people'), v })
    while (heard.length === 0) await once(socket.conn, 'packet')
    expect(heard.splice(0)).toEqual([['heartbeat', casesOf('control', 'heartbeat')[0]?.wire]])
  })
  afterEach(() => session.end(new Error('done') as never))

  const asked = Object.keys(machineFrames)
    .filter((event) => isKnownIn(controlVersions, v, event))
    .flatMap((event) => casesOf('control', event))
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

describe.each([2, 3])('a link of version %d', (v) => {
  const claims = golden('control/agents.sync.usual').agents
  /** The verb by which the daemon says each frame. */
  const verbs: Record<string, (link: ReturnType<typeof createControlLink>, frame: never) => Promise<unknown>> = {
    relay: (link, { envelopes }: { envelopes: never[] }) => link.relay(envelopes),
    return: (link, batch) => link.giveBack(batch),
    'agents.claim': (link, { agent }: { agent: never }) => link.claim(agent),
    'agents.status': (link, { changes }: { changes: never[] }) => link.setStatus(changes),
    'agents.release': (link, { name }: { name: string }) => link.release(name),
    traces: (link, { traces }: { traces: never[] }) => link.traces(traces),
    signal: (link, signal) => link.signal(signal),
    'keys.put': (link, { seals }: { seals: never[] }) => link.putSeals(seals),
    links: (link, { links, isWhole }: { links: never[]; isWhole: boolean }) => link.reportLinks(links, isWhole),
    'reach.check': (link, { port }: { port: number }) => link.checkReach(port),
  }
  const said = Object.keys(verbs)
    .filter((event) => isKnownIn(controlVersions, v, event))
    .flatMap((event) => casesOf('control', event))
  let link: ReturnType<typeof createControlLink>
  let socket: Socket
  let pushed: (event: string) => Promise<unknown>
  beforeEach(async () => {
    const waiting = new Map<string, (value: unknown) => void>()
    pushed = (event) => new Promise((resolve) => waiting.set(event, resolve))
    const on = handlers(waiting)
    link = createControlLink({
      ...{ url, key: auth.key, bootId: auth.bootId, version: auth.version, identity, clock, on, agents: () => claims },
      ...{ trust: trustOf(), seals: () => [] },
    })
    io.of(MACHINES_NAMESPACE).use((asking, next) => {
      if (asking.handshake.auth.v === v) return next()
      next(Object.assign(new Error('no'), { data: { code: 'VERSION_UNSUPPORTED', message: 'Not that one.' } }))
    })
    const server = accepted()
    const synced = pushed('claims')
    link.start()
    socket = await server
    socket.emit('welcome', welcomeIn(v, golden('control/welcome.usual')))
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

  const deltaIn = (delta: unknown): unknown => (v < 3 ? delta : signed('delta', delta))
  const taken: Record<string, { as: string; read?: (frame: never) => unknown }> = {
    roster: { as: 'delta' },
    deliver: { as: 'deliver', read: ({ envelopes }: { envelopes: unknown[] }) => envelopes },
    returned: { as: 'returned' },
    ...(v >= 3 && { signal: { as: 'signal' } }),
    goodbye: { as: 'refused', read: ({ code, message }: { code: string; message: string }) => ({ code, message }) },
  }
  /** `signal` goes both ways; its golden frame on the way down has a name of its own. */
  const frameOf = (event: string): string => (event === 'signal' ? 'signal.in' : event)
  const pushes = Object.keys(controlFrames).filter((event) => event in taken)
  test.each(
    pushes
      .flatMap((event) => casesOf('control', frameOf(event)).map((one) => ({ ...one, event })))
      .filter(({ event, value }) => event !== 'roster' || !isSigned(value))
      .map((one) => ({ ...one, name: `${one.frame}.${one.case}` })),
  )('takes $name', async ({ event, value }) => {
    const { as, read = (all) => all } = taken[event] as (typeof taken)[string]
    const came = pushed(as)
    socket.emit(event, event === 'roster' ? deltaIn(value) : value)
    expect(await came).toMatchObject(read(value as never) as object)
  })

  test('asks for the whole roster when a delta does not fit', async () => {
    for (const answer of casesOf('control', 'roster.get.answer').map(({ value }) => value)) {
      const { value: whole } = answer as { value: unknown }
      if (isSigned(whole)) continue
      answers['roster.get'] = { ok: true, value: v < 3 ? whole : signed('roster', whole) }
      const came = pushed('roster')
      socket.emit('roster', deltaIn({ ...golden('control/roster.usual'), base: 70, version: 71 }))
      expect(await came).toStrictEqual(whole)
      expect(heard.splice(0)).toEqual([['roster.get', '{}']])
    }
  })
})

test('believes the golden roster, its change and its confirmation as they were signed', async () => {
  const { controlKey, roster } = golden('control/welcome.signed')
  const waiting = new Map<string, (value: unknown) => void>()
  const next = (event: string) => new Promise((resolve) => waiting.set(event, resolve))
  answers.heartbeat = golden('control/heartbeat.answer.fresh')
  answers['roster.get'] = golden('control/roster.get.answer.signed')
  const link = createControlLink({
    ...{ url, key: auth.key, bootId: auth.bootId, version: auth.version, identity, clock, on: handlers(waiting) },
    ...{ trust: trustOf(controlKey), seals: () => [], agents: () => [] },
  })
  const [server, up, fresh, whole] = [accepted(), next('up'), next('fresh'), next('roster')]
  link.start()
  const socket = await server
  socket.emit('welcome', golden('control/welcome.signed'))
  expect(await up).toMatchObject({ v: 3, roster: JSON.parse(roster.text) })
  expect(await fresh).toBe(JSON.parse(golden('control/heartbeat.answer.fresh').value.fresh.text).at)
  link.behind(1e9)
  expect(await whole).toEqual(JSON.parse(roster.text))
  const changed = next('delta')
  socket.emit('roster', golden('control/roster.signed'))
  expect(await changed).toEqual(JSON.parse(golden('control/roster.signed').text))
  link.stop()
})
