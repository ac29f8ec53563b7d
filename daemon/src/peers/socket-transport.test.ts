import { createHook } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as netConnect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PeerFrames, RelayBatch } from '@agent-relay/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import { golden } from '../../../protocol/fixtures/index.ts'
import { introduce, newIdentity, startMachine, type TestMachine } from './testing.ts'

const started: { end(): unknown }[] = []
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.end()
})

async function start(options: Parameters<typeof startMachine>[0] = {}): Promise<TestMachine> {
  const machine = await startMachine(options)
  started.push({ end: () => machine.transport.close() })
  return machine
}

async function pair(): Promise<[TestMachine, TestMachine]> {
  const [alice, bob] = [await start(), await start()]
  introduce(alice, bob)
  return [alice, bob]
}

const batchOf = (seq: number, body = 'x'): RelayBatch => ({
  envelopes: [{ ...golden('envelope/envelope.minimal'), seq, body }],
})

/** Takes connections on a port and passes what comes, bytes as they are, to what `onward` makes. */
async function tcpServer(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on('error', () => undefined))
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  started.push({
    end: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  })
  return (server.address() as AddressInfo).port
}

/** A connection in between, of which a test holds both halves. */
async function between(to: TestMachine): Promise<{ port: number; halves: Promise<[Socket, Socket]> }> {
  const halves = Promise.withResolvers<[Socket, Socket]>()
  const port = await tcpServer((near) => {
    const far = netConnect({ port: to.port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined)
    started.push({ end: () => far.destroy() })
    near.pipe(far).pipe(near)
    halves.resolve([near, far])
  })
  return { port, halves: halves.promise }
}

describe('a link', () => {
  test('is the same at both ends, and carries frames either way', async () => {
    const [alice, bob] = await pair()
    const near = await alice.dial(bob, { kind: 'vpn' })
    const { link: far } = await bob.next('opened')
    expect(near).toMatchObject({ machine: bob.machine, bootId: bob.side.bootId, role: 'dialer', kind: 'vpn' })
    expect(near.remote).toEqual({ host: '127.0.0.1', port: bob.port })
    expect(far).toMatchObject({ machine: alice.machine, bootId: alice.side.bootId, role: 'listener', kind: 'vpn' })
    expect(far).toMatchObject({ id: near.id, remote: { host: '127.0.0.1' } })
    near.send('PEER_PING', { n: 1 })
    expect(await bob.next('frame')).toMatchObject({ link: far, event: 'PEER_PING', frame: { n: 1 } })
    far.send('PEER_PONG', { n: 1 })
    expect(await alice.next('frame')).toMatchObject({ link: near, event: 'PEER_PONG', frame: { n: 1 } })
  })

  test('carries a thousand batches each way, in order', async () => {
    const [alice, bob] = await pair()
    const near = await alice.dial(bob)
    const { link: far } = await bob.next('opened')
    const count = 1_000
    for (let seq = 1; seq <= count; seq++) {
      near.send('PEER_ROUTE', batchOf(seq))
      far.send('PEER_ROUTE', batchOf(seq))
      if (seq % 100 === 0) await sleep(0)
    }
    for (const machine of [alice, bob])
      for (let seq = 1; seq <= count; seq++)
        expect(((await machine.next('frame')).frame as RelayBatch).envelopes[0]?.seq).toBe(seq)
    expect([near.bufferedBytes(), far.bufferedBytes()]).toEqual([0, 0])
  })

  test('tells both of its end, once, and nothing after it', async () => {
    const [alice, bob] = await pair()
    const near = await alice.dial(bob)
    const { link: far } = await bob.next('opened')
    far.send('PEER_PING', { n: 1 })
    let isWithin = true
    const closed = alice.next('closed').then((told) => ({ ...told, isWithin }))
    near.close('idle')
    isWithin = false
    expect(await closed).toMatchObject({ link: near, why: 'idle', isWithin: false })
    expect(await bob.next('closed')).toMatchObject({ link: far, why: 'the other end closed it: idle' })
    near.close('again')
    near.send('PEER_PING', { n: 2 })
    far.send('PEER_PING', { n: 3 })
    far.close('too')
    expect([near.bufferedBytes(), far.bufferedBytes()]).toEqual([0, 0])
    await sleep(50)
    expect([alice.told, bob.told]).toEqual([[], []])
  })

  test('passes over events that it does not know, with an answer when one is asked for', async () => {
    const [alice, bob] = await pair()
    const near = await alice.dial(bob)
    await bob.next('opened')
    for (const event of ['PEER_LATER', 'error', '__proto__', 'constructor', ''])
      near.send(event as keyof PeerFrames, { n: 1 } as never)
    near.send('PEER_PING', { n: 7 })
    expect(await bob.next('frame')).toMatchObject({ frame: { n: 7 } })
    expect(bob.told).toEqual([])
  })

  test.each([
    ['PEER_PING', { n: -1 }, 'it sent a PEER_PING that cannot be read at n'],
    ['PEER_PING', undefined, 'it sent a PEER_PING that cannot be read'],
    ['PEER_ROUTE', { envelopes: [] }, 'it sent a PEER_ROUTE that is no batch'],
    ['PEER_ROUTE', null, 'it sent a PEER_ROUTE that is no batch'],
    ['PEER_ACK', { acks: 'many' }, 'it sent a PEER_ACK that cannot be read at acks'],
    ['PEER_SIGNAL', { sealed: { data: 1 } }, 'it sent a PEER_SIGNAL that cannot be read at sealed.by'],
    ['PEER_PONG', Buffer.alloc(10), 'it sent a PEER_PONG that cannot be read at n'],
  ])('ends with a malformed %s', async (event, frame, why) => {
    const [alice, bob] = await pair()
    const near = await alice.dial(bob)
    await bob.next('opened')
    near.send(event as keyof PeerFrames, frame as never)
    expect(await bob.next('closed')).toMatchObject({ why })
    expect(await alice.next('closed')).toMatchObject({ why: `the other end closed it: ${why}` })
  })

  test.each(['PEER_PING', 'PEER_LATER'])('ends when the other end floods it with %s', async (event) => {
    const [alice, bob] = await pair()
    const near = await alice.dial(bob)
    await bob.next('opened')
    for (let n = 0; n < 1_000; n++) near.send(event as 'PEER_PING', { n })
    expect(await bob.next('closed')).toMatchObject({ why: 'it talks too much' })
    const frames = bob.told.filter(({ what }) => what === 'frame').length
    expect(frames).toBeLessThan(event === 'PEER_PING' ? 600 : 1)
  })

  test('takes the envelopes of a batch that it can read', async () => {
    const [alice, bob] = await pair()
    const near = await alice.dial(bob)
    await bob.next('opened')
    const good = golden('envelope/envelope.minimal')
    near.send('PEER_ROUTE', { envelopes: [{ ...good, v: 99 }, { ...good, later: 1 }, good] })
    expect(await bob.next('frame')).toMatchObject({ frame: { envelopes: [good, good] } })
    near.send('PEER_ROUTE', { envelopes: [{ ...good, seq: -1 }] })
    near.send('PEER_PING', { n: 1 })
    expect(await bob.next('frame')).toMatchObject({ event: 'PEER_PING' })
  })

  test('knows what the other end has not taken yet', async () => {
    const [alice, bob] = await pair()
    const { port, halves } = await between(bob)
    const near = await alice.dial(bob, { port })
    const { link: far } = await bob.next('opened')
    const [one] = await halves
    one.pause()
    for (let seq = 1; seq <= 100; seq++) {
      near.send('PEER_ROUTE', batchOf(seq, 'x'.repeat(200_000)))
      far.send('PEER_ROUTE', batchOf(seq, 'x'.repeat(200_000)))
    }
    await sleep(100)
    expect(near.bufferedBytes()).toBeGreaterThan(8_000_000)
    expect(far.bufferedBytes()).toBeGreaterThan(1_000_000)
    one.resume()
    for (let seq = 1; seq <= 100; seq++) await bob.next('frame')
    for (let seq = 1; seq <= 100; seq++) await alice.next('frame')
    expect([near.bufferedBytes(), far.bufferedBytes()]).toEqual([0, 0])
  })

  test('ends when the other end closes its half, and when it is cut off', async () => {
    const [alice, bob] = await pair()
    for (const cut of ['end', 'destroy', 'resetAndDestroy'] as const) {
      const { port, halves } = await between(bob)
      await alice.dial(bob, { port })
      await bob.next('opened')
      const [one, other] = await halves
      one.unpipe()
      other.unpipe()
      one[cut]()
      other[cut]()
      expect((await alice.next('closed')).why).toMatch(/^the connection (was lost|broke)$/)
      expect((await bob.next('closed')).why).toMatch(/^the connection (was lost|broke)$/)
    }
  })

  test('ends soon also when the other end takes nothing', async () => {
    const [alice, bob] = await pair()
    const { port, halves } = await between(bob)
    const near = await alice.dial(bob, { port })
    const { link: far } = await bob.next('opened')
    const [one, other] = await halves
    one.pause()
    other.pause()
    for (const link of [near, far])
      for (let n = 0; n < 100; n++) link.send('PEER_ROUTE', batchOf(n, 'x'.repeat(200_000)))
    const closedAt = performance.now()
    near.close('enough')
    far.close('enough')
    await Promise.all([alice.next('closed'), bob.next('closed')])
    expect(performance.now() - closedAt).toBeLessThan(500)
    await alice.transport.close()
    await bob.transport.close()
    expect(performance.now() - closedAt).toBeLessThan(2_500)
  })

  test('gives way to newer ones of the same machine when there are many', async () => {
    const [alice, bob] = await pair()
    const links = []
    for (let n = 0; n < 9; n++) links.push(await alice.dial(bob))
    expect(await alice.next('closed')).toMatchObject({ link: links[0], why: expect.stringContaining('newer links') })
    links[8]?.send('PEER_PING', { n: 1 })
    expect(await bob.next('frame')).toMatchObject({ frame: { n: 1 } })
  })

  test('is closed for a machine that stops, and no new one is made', async () => {
    const [alice, bob] = await pair()
    await alice.dial(bob)
    await bob.next('opened')
    await bob.transport.close()
    expect(await bob.next('closed')).toMatchObject({ why: 'the daemon is stopping' })
    expect(await alice.next('closed')).toMatchObject({ why: 'the other end closed it: the daemon is stopping' })
    await expect(alice.dial(bob)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(bob.dial(alice)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    await expect(bob.transport.listen(0)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  })
})

describe('a punched connection, which both ends dialed', () => {
  /** Joins the first two who come, as two machines whose SYNs met are joined. */
  async function meeting(): Promise<{ port: number; ports: Promise<number[]> }> {
    const ports = Promise.withResolvers<number[]>()
    const come: Socket[] = []
    const port = await tcpServer((socket) => {
      come.push(socket)
      const [one, other] = come
      if (one === undefined || other === undefined) return
      one.pipe(other).pipe(one)
      ports.resolve([one.remotePort ?? 0, other.remotePort ?? 0])
    })
    return { port, ports: ports.promise }
  }
  async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    return port
  }

  test('is a link like any other', async () => {
    const [alice, bob] = await pair()
    const { port, ports } = await meeting()
    const localPorts = [await freePort(), await freePort()]
    const [near, far] = await Promise.all([
      alice.dial(bob, { port, kind: 'punched', localPort: localPorts[0] }),
      bob.dial(alice, { port, kind: 'punched', localPort: localPorts[1], role: 'listener' }),
    ])
    expect((await ports).toSorted()).toEqual(localPorts.toSorted())
    expect(near).toMatchObject({ machine: bob.machine, role: 'dialer', kind: 'punched' })
    expect(far).toMatchObject({ machine: alice.machine, role: 'listener', kind: 'punched', id: near.id })
    near.send('PEER_PING', { n: 1 })
    expect(await bob.next('frame')).toMatchObject({ link: far })
    far.send('PEER_PING', { n: 2 })
    expect(await alice.next('frame')).toMatchObject({ link: near })
    far.close('done')
    expect(await alice.next('closed')).toMatchObject({ why: 'the other end closed it: done' })
    expect(bob.told.map(({ what }) => what)).toEqual(['closed'])
  })

  test('refuses a machine that was not meant', async () => {
    const [alice, bob] = await pair()
    const carol = await start()
    introduce(alice, bob, carol)
    const { port } = await meeting()
    const dials = await Promise.allSettled([
      carol.dial(bob, { port, kind: 'punched' }),
      bob.dial(alice, { port, kind: 'punched', role: 'listener' }),
    ])
    expect(dials).toMatchObject([
      { status: 'rejected', reason: { code: 'UNAVAILABLE' } },
      { status: 'rejected', reason: { code: 'FORBIDDEN', message: 'Its key is another machine’s.' } },
    ])
  })

  test('comes to nothing when both listen, or both dial', { timeout: 15_000 }, async () => {
    const [alice, bob] = await pair()
    for (const role of ['listener', 'dialer'] as const) {
      const { port } = await meeting()
      const dials = await Promise.allSettled([alice.dial(bob, { port, role }), bob.dial(alice, { port, role })])
      expect(dials.map((one) => (one as PromiseRejectedResult).reason.code)).toEqual(
        role === 'listener' ? ['TIMEOUT', 'TIMEOUT'] : ['UNAVAILABLE', 'UNAVAILABLE'],
      )
    }
  })
})

describe('a dial says what happened', () => {
  test('nobody listens', async () => {
    const [alice, bob] = await pair()
    await bob.transport.close()
    await expect(alice.dial(bob)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `127.0.0.1:${bob.port} refused the connection: no daemon listens there.`,
    })
  })

  test('another machine answers, also one of the roster, also itself', async () => {
    const [alice, bob] = await pair()
    const carol = await start()
    introduce(alice, bob, carol)
    for (const port of [carol.port, alice.port])
      await expect(alice.dial(bob, { port })).rejects.toMatchObject({
        code: 'IDENTITY_MISMATCH',
        message: expect.stringContaining(`Another machine answered at 127.0.0.1:${port}`),
      })
    expect(carol.told.filter(({ what }) => what === 'opened')).toEqual([])
  })

  test('the machine is not in the roster', async () => {
    const alice = await start()
    const stranger = newIdentity()
    await expect(alice.dial(stranger, { port: alice.port })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('this machine is not in the other’s roster, which is then asked for', async () => {
    const [alice, bob] = await pair()
    bob.roster.delete(alice.machine)
    await expect(alice.dial(bob)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('it may not know this machine yet'),
    })
    expect(await bob.next('refused')).toMatchObject({ why: 'Its key is not in the roster.' })
    expect(await bob.next('behind')).toMatchObject({ version: 2 })
    introduce(alice, bob)
    expect(await alice.dial(bob)).toMatchObject({ machine: bob.machine })
    expect(bob.told.filter(({ what }) => what === 'behind')).toEqual([])
  })

  test('what answers is no daemon', async () => {
    const [alice, bob] = await pair()
    const port = await tcpServer((socket) => socket.write('220 mail.example.com ESMTP\r\n'))
    await expect(alice.dial(bob, { port })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('does not speak as a daemon does'),
    })
  })

  test('what answers closes the connection', async () => {
    const [alice, bob] = await pair()
    const port = await tcpServer((socket) => socket.destroy())
    await expect(alice.dial(bob, { port })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('what answers says nothing', { timeout: 10_000 }, async () => {
    const [alice, bob] = await pair()
    const port = await tcpServer(() => undefined)
    const at = performance.now()
    await expect(alice.dial(bob, { port })).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: `127.0.0.1:${port} did not prove itself within 5 s.`,
    })
    expect(performance.now() - at).toBeLessThan(7_000)
  })

  test('nothing comes back, and it was given up', async () => {
    const [alice, bob] = await pair()
    // TEST-NET-1: packets to it are dropped, or there is no way.
    const candidate = { kind: 'lan' as const, host: '192.0.2.1', port: 9 }
    await expect(alice.dial(bob, { candidate, timeoutMs: 100 })).rejects.toMatchObject({
      code: expect.stringMatching(/^(TIMEOUT|UNAVAILABLE)$/),
    })
    const port = await tcpServer(() => undefined)
    const control = new AbortController()
    setTimeout(() => control.abort(), 50)
    const givenUp = { code: 'UNAVAILABLE', message: `The dial of 127.0.0.1:${port} was given up.` }
    await expect(alice.dial(bob, { port, signal: control.signal })).rejects.toMatchObject(givenUp)
    await expect(alice.dial(bob, { port, signal: control.signal })).rejects.toMatchObject(givenUp)
  })

  test('the port that was wanted cannot be had', async () => {
    const [alice, bob] = await pair()
    await expect(alice.transport.listen(bob.port)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `Port ${bob.port} is in use by another program: choose another one.`,
    })
    await expect(alice.dial(bob, { localPort: bob.port })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

test('two hundred links leave no socket and no timer', { timeout: 60_000 }, async () => {
  const sockets = new Set<Socket>()
  const watch = (message: unknown): void => void sockets.add((message as { socket: Socket }).socket)
  const timers = new Map<number, string>()
  const hook = createHook({
    init(id, type) {
      const stack = type === 'Timeout' ? (new Error('made here').stack ?? '') : ''
      if (/src\/peers\/(?!.*test)|engine\.io|socket\.io|node_modules\/ws/.test(stack)) timers.set(id, stack)
    },
    destroy: (id) => void timers.delete(id),
  })
  for (const name of ['net.client.socket', 'net.server.socket']) subscribe(name, watch)
  hook.enable()
  try {
    const [alice, bob] = await pair()
    for (let n = 0; n < 200; n += 4) {
      const links = await Promise.all([alice.dial(bob), alice.dial(bob), bob.dial(alice), bob.dial(alice)])
      for (const link of links) link.close('done')
      for (let m = 0; m < 4; m++) await Promise.all([alice.next('closed'), bob.next('closed')])
    }
    await Promise.allSettled([alice.dial(bob, { port: 1 }), alice.dial(newIdentity(), { port: bob.port })])
    expect(sockets.size).toBe(401)
    expect(timers.size).toBeLessThan(20)
    await Promise.all([alice.transport.close(), bob.transport.close()])
    // Timers are told of when they are collected from their list, a turn or two later.
    for (let n = 0; n < 50 && timers.size > 0; n++) await sleep(20)
    expect([...sockets].filter(({ destroyed }) => !destroyed)).toEqual([])
    expect([...timers.values()]).toEqual([])
  } finally {
    hook.disable()
    for (const name of ['net.client.socket', 'net.server.socket']) unsubscribe(name, watch)
  }
})
