/** A control plane of version 1, as it was recorded, against this daemon's link; and ones of versions that nobody here knows. */
import { createPublicKey, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SOCKET_PATH } from '@agent-relay/protocol'
import { golden, goldenKey } from '@agent-relay/protocol/fixtures'
import { type Packet, payloadOf, readPacket, transcript } from '@agent-relay/protocol/transcripts'
import { Server } from 'socket.io'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/cloud/clock.ts'
import { type ControlLink, createControlLink } from '../../src/cloud/control-link.ts'
import { type RosterTrust, rosterReader } from '../../src/cloud/roster-trust.ts'
import { openSession, type Session } from '../../src/cloud/session.ts'

const auth = golden('control/auth.usual')
/** A recorded frame without the engine's own digit, which its socket puts before it. */
const say = (text: string): string => text.slice(1)
const read = (text: string): Packet => readPacket(`4${text}`) as Packet

const identity = {
  publicKey: createPublicKey(goldenKey).export({ format: 'jwk' }).x as string,
  sign: (text: string) => sign(null, Buffer.from(text), goldenKey).toString('base64url'),
}

const { org, machineId } = golden('control/challenge.usual')
/** A home that was told no control key yet. */
const trust: RosterTrust = {
  ...{ org, machine: machineId },
  ...{ controlKey: () => undefined, pin: () => undefined, known: () => undefined },
}

type Conn = { send(text: string): void; on(event: 'message', listener: (text: string) => void): void }

let http: ReturnType<typeof createServer>
let io: Server
let url: string
/** Takes each connection of the engine, below Socket.IO. */
let serve: (conn: Conn) => void
beforeEach(async () => {
  http = createServer()
  io = new Server(http, { path: SOCKET_PATH, transports: ['websocket'] })
  io.engine.removeAllListeners('connection')
  io.engine.on('connection', (conn: Conn) => serve(conn))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
})
let link: ControlLink | undefined
afterEach(async () => {
  link?.stop()
  link = undefined
  await io.close()
})

function start() {
  const waiting = new Map<string, (value: unknown) => void>()
  const calls: string[] = []
  const on = new Proxy(
    {},
    {
      get: (_, event: string) => (value: unknown) => {
        calls.push(event)
        waiting.get(event)?.(value)
      },
    },
  ) as Parameters<typeof createControlLink>[0]['on']
  const agents = () => payloadOf(transcript('control-1', 'session'), 'agents.sync').agents
  link = createControlLink({ ...{ url, identity, on, agents, trust, seals: () => [], random: () => 0 }, ...auth })
  const next = (event: string) => new Promise<unknown>((resolve) => waiting.set(event, resolve))
  return { link, next, calls }
}

test('a control plane of version 1 refuses 3 and 2, is asked for 1 at once, and the session goes as it was recorded', async () => {
  const refusal = transcript('control-1', 'refusal')
  const recorded = transcript('control-1', 'session')
  const asked: unknown[] = []
  /** What the daemon said in version 1, as it travelled. */
  const said: string[] = []
  let conn: Conn | undefined
  let wake: () => void = () => undefined
  serve = (opened) => {
    opened.on('message', (text) => {
      const packet = read(text)
      if (packet.kind === 'connect') asked.push((packet.data as { v: number }).v)
      if (packet.kind === 'connect' && (packet.data as { v: number }).v > 1) {
        opened.send(say((refusal[1] as { text: string }).text))
        return
      }
      conn = opened
      said.push(`4${text}`)
      wake()
    })
  }
  const { link, next, calls } = start()
  const [up, claims, returned, delivered, refused] = ['up', 'claims', 'returned', 'deliver', 'refused'].map(next)
  const frameOf = (event: string) => payloadOf(recorded, event)
  /** The daemon's own part, in the order of the recording. */
  const verbs = async (): Promise<unknown[]> => {
    await up
    expect(await claims).toEqual([{ ok: true, name: 'Alice', epoch: 1 }])
    const results: unknown[] = []
    results.push(await link.claim(frameOf('agents.claim').agent))
    await link.setStatus(frameOf('agents.status').changes)
    results.push(await link.relay(frameOf('relay').envelopes))
    results.push(await returned, await delivered)
    // What only version 2 knows does not go out: neither beside a receipt, nor alone.
    const { acks, gaps, receipts } = frameOf('return')
    await link.giveBack({ acks: [], gaps: [], receipts: [], heard: golden('control/return.heard').heard })
    await link.giveBack({ acks, gaps, receipts, heard: golden('control/return.heard').heard })
    await link.traces(frameOf('traces').traces)
    await link.release('Designer')
    return results
  }
  link.start()
  const done = verbs()
  /** Acknowledgement ids are the daemon's to choose: the recorded one of each event, and the one of this run. */
  const ids = new Map<number | undefined, number | undefined>()
  for (const { isOpener, text } of recorded) {
    const packet = readPacket(text) as Packet
    if (!isOpener) conn?.send(say(packet.kind === 'ack' ? text.replace(/\d+\[/, `${ids.get(packet.id)}[`) : text))
    else {
      while (said.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      const actual = said.shift() as string
      ids.set(packet.id, readPacket(actual)?.id)
      const timeless = (one: string) => one.replace(/"at":[\d.]+/, '"at":0').replace(/^(42\/machines,)\d+/, '$1')
      expect(timeless(actual)).toBe(timeless(text))
    }
  }
  expect(await done).toEqual([
    { ok: true, name: 'Designer', epoch: 1 },
    frameOf('relay').envelopes.map(({ id }: { id: string }) => ({ id, state: 'carried' })),
    frameOf('returned'),
    frameOf('deliver').envelopes,
  ])
  expect(await refused).toMatchObject({ code: 'KEY_REVOKED' })
  expect(asked).toEqual([3, 2, 1])
  expect(calls, 'a refused version is no outage').not.toContain('down')
})

test('what only version 2 can be asked is refused at once on a connection of version 1', async () => {
  serve = (conn) =>
    conn.on('message', (text) => {
      if (((read(text).data as { v?: number }).v ?? 1) > 1)
        return conn.send(say(transcript('control-1', 'refusal')[1]?.text ?? ''))
      if (read(text).kind !== 'connect') return
      conn.send('0/machines,{"sid":"s"}')
      conn.send(`2/machines,${JSON.stringify(['welcome', golden('control/welcome.version-1')])}`)
    })
  const session = await new Promise<Session>((resolve) => {
    const opened = openSession({
      ...{ ...auth, url, identity, clock: systemClock, speaks: 1, onEnd: () => undefined },
      ...{ trust: rosterReader(url, trust), seals: () => [], onEcho: () => undefined },
      ...{ onUp: () => resolve(opened), onPush: () => undefined, onUnknown: () => undefined },
    })
  })
  await expect(session.request('channels.join' as 'relay', {} as never)).rejects.toMatchObject({
    code: 'VERSION_UNSUPPORTED',
    message: expect.stringContaining('knows no channels.join'),
  })
  session.end(new Error('done') as never)
})

test('a control plane that speaks none of them is told of with the command that installs its own', async () => {
  const asked: unknown[] = []
  serve = (conn) =>
    conn.on('message', (text) => {
      asked.push((read(text).data as { v: number }).v)
      conn.send('4/machines,{"message":"no","data":{"code":"VERSION_UNSUPPORTED","message":"This speaks 9."}}')
    })
  const { link, next } = start()
  const down = next('down')
  link.start()
  expect(await down).toMatchObject({
    code: 'VERSION_UNSUPPORTED',
    message: `${url} speaks none of the versions 1 to 3 of this agent-relay (0.1.0): install the one that it serves: npm install --global ${url}/agent-relay.tgz, then agent-relay down and agent-relay up`,
  })
  expect(asked.slice(0, 3)).toEqual([3, 2, 1])
})

test('a welcome of another version than was asked for is not taken', async () => {
  serve = (conn) =>
    conn.on('message', () => {
      conn.send('0/machines,{"sid":"s"}')
      conn.send(`2/machines,${JSON.stringify(['welcome', golden('control/welcome.version-1')])}`)
    })
  const { link, next } = start()
  const down = next('down')
  link.start()
  expect(await down).toMatchObject({ message: expect.stringContaining('sent a welcome frame') })
})

test('a control plane of version 2 is asked for it at once, gets nothing that it does not know, and cannot be asked for it', async () => {
  const asked: unknown[] = []
  let proved: (packet: Packet) => void = () => undefined
  const proof = new Promise<Packet>((resolve) => {
    proved = resolve
  })
  serve = (conn) =>
    conn.on('message', (text) => {
      const packet = read(text)
      if (packet.kind === 'ack' && packet.id === 5) {
        proved(packet)
        conn.send(`2/machines,${JSON.stringify(['welcome', golden('control/welcome.usual')])}`)
        conn.send(`2/machines,${JSON.stringify(['signal', { from: 'm', id: 'no version 2 says this' }])}`)
      }
      if (packet.kind === 'event' && (packet.data as unknown[])[0] === 'heartbeat')
        conn.send(`3/machines,${packet.id}${JSON.stringify([golden('control/heartbeat.answer.usual')])}`)
      if (packet.kind !== 'connect') return
      asked.push((packet.data as { v: number }).v)
      if ((packet.data as { v: number }).v > 2) return conn.send(say(transcript('control-1', 'refusal')[1]?.text ?? ''))
      conn.send('0/machines,{"sid":"s"}')
      conn.send(`2/machines,5${JSON.stringify(['challenge', golden('control/challenge.usual')])}`)
    })
  const { link, next, calls } = start()
  const [up, fresh] = [next('up'), next('fresh')]
  link.start()
  expect((await proof).data).toEqual([golden('control/proof.usual')])
  expect(await up).toEqual(golden('control/welcome.usual'))
  expect(await fresh, 'an echo is all the confirmation there is').toBe(
    golden('control/heartbeat.answer.usual').value.now,
  )
  for (const asking of [link.signal({} as never), link.putSeals([]), link.reportLinks([], true), link.checkReach(2000)])
    await expect(asking).rejects.toMatchObject({ code: 'VERSION_UNSUPPORTED' })
  expect(asked).toEqual([3, 2])
  expect(calls).not.toContain('signal')
})

test('an event that only a later version knows is passed over and told of once; one that wants an answer gets UNKNOWN_FRAME', async () => {
  let answered: (packet: Packet) => void = () => undefined
  serve = (conn) =>
    conn.on('message', (text) => {
      const packet = read(text)
      if (packet.kind === 'ack' && packet.id === 77) answered(packet)
      if (packet.kind !== 'connect') return
      if ((packet.data as { v: number }).v > 2) return conn.send(say(transcript('control-1', 'refusal')[1]?.text ?? ''))
      conn.send('0/machines,{"sid":"s"}')
      conn.send(`2/machines,${JSON.stringify(['welcome', golden('control/welcome.usual')])}`)
      for (const event of ['peers', 'peers', 'policy'])
        conn.send(`2/machines,${JSON.stringify([event, { of: 'later' }])}`)
      conn.send(`2/machines,77${JSON.stringify(['peers', {}])}`)
      conn.send(`2/machines,${JSON.stringify(['deliver', golden('control/deliver.usual')])}`)
    })
  const { link, next, calls } = start()
  const answer = new Promise<Packet>((resolve) => {
    answered = resolve
  })
  const delivered = next('deliver')
  link.start()
  expect((await answer).data).toEqual([{ ok: false, error: expect.objectContaining({ code: 'UNKNOWN_FRAME' }) }])
  expect(await delivered).toEqual(golden('control/deliver.usual').envelopes)
  expect(calls.filter((event) => event === 'unknown')).toHaveLength(2)
})
