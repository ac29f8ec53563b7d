/** Everybody here tries to get in, or to do harm, over real sockets; handshake.test.ts has what the frames themselves refuse. */
import { createPrivateKey, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { connect as netConnect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { PEER_PATH, PEER_REFUSED, PEER_VERSION, type PeerFrames } from '@agent-relay/protocol'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { fixtures, golden } from '../../../protocol/fixtures/index.ts'
import { mutated } from '../../../protocol/fixtures/mutate.ts'
import { createHandshakes } from './handshake.ts'
import { connectSocket } from './socket-client.ts'
import { introduce, newIdentity, ORG, startMachine, type TestMachine } from './testing.ts'
import {
  acceptUpgrade,
  CONNECTED,
  hostileListener,
  OPENING,
  PEER_URL,
  player,
  recorder,
  secureTo,
  textFrame,
  untilClosed,
  upgradeRequest,
  webSocketTo,
} from './testing-attacker.ts'

const started: (() => unknown)[] = []
afterEach(async () => {
  for (const end of started.splice(0).reverse()) await end()
})
const kept = <T extends { close(): unknown }>(one: T): T => {
  started.push(() => one.close())
  return one
}

async function start(options: Parameters<typeof startMachine>[0] = {}): Promise<TestMachine> {
  const machine = await startMachine(options)
  started.push(() => machine.transport.close())
  return machine
}
async function pair(): Promise<[TestMachine, TestMachine]> {
  const [alice, bob] = [await start(), await start()]
  introduce(alice, bob)
  return [alice, bob]
}
/** That this listener still takes an honest machine, and nobody else got in. */
async function isWell(bob: TestMachine, alice: TestMachine): Promise<void> {
  const link = await alice.dial(bob)
  const opened = bob.told.filter(({ what }) => what === 'opened')
  expect([...opened, ...(opened.length === 0 ? [await bob.next('opened')] : [])]).toMatchObject([
    { link: { id: link.id } },
  ])
}

describe('TLS', () => {
  test('an older version than 1.3 is not spoken', async () => {
    const [alice, bob] = await pair()
    await expect(secureTo(bob.port, alice, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/)
    const old = kept(await hostileListener(bob, () => undefined, { maxVersion: 'TLSv1.2' }))
    await expect(alice.dial(bob, { port: old.port })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await isWell(bob, alice)
  })

  test('who shows no certificate is cut, and learns no more than the key', async () => {
    const [alice, bob] = await pair()
    const socket = await secureTo(bob.port)
    expect(socket.getPeerX509Certificate()?.publicKey.export({ format: 'jwk' }).x).toBe(bob.publicKey)
    socket.write(upgradeRequest())
    expect(await untilClosed(socket)).toBe('')
    expect(await bob.next('refused')).toMatchObject({ why: 'It showed no certificate of a machine.' })
    // The control plane looks so at whether a machine can be reached: no reason to ask it for a roster.
    expect(bob.told).toEqual([])
    await isWell(bob, alice)
  })

  test('who has a key of another kind is cut', async () => {
    const [, bob] = await pair()
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const x509 = await import('@peculiar/x509')
    const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
    const cert = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=agent-relay',
      keys,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    })
    const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
    const key = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----`
    expect(privateKey.asymmetricKeyType).toBe('ec')
    const socket = await secureTo(bob.port, undefined, { cert: cert.toString('pem'), key }).catch(() => undefined)
    if (socket !== undefined) expect(await untilClosed(socket)).toBe('')
    expect((await bob.next('refused')).why).toMatch(/no certificate|does not speak as a daemon does/)
  })

  test('a key that is not in the roster is cut before any HTTP, and asks for a roster once in a while only', async () => {
    const [alice, bob] = await pair()
    for (let n = 0; n < 3; n++) {
      const socket = await secureTo(bob.port, newIdentity())
      socket.write(upgradeRequest())
      expect(await untilClosed(socket)).toBe('')
      expect(await bob.next('refused')).toMatchObject({ why: 'Its key is not in the roster.' })
    }
    expect(bob.told).toMatchObject([{ what: 'behind', version: 2 }])
    bob.told.length = 0
    await isWell(bob, alice)
  })

  test('a machine that was revoked is cut', async () => {
    const [alice, bob] = await pair()
    bob.roster.delete(alice.machine)
    const socket = await secureTo(bob.port, alice)
    expect(await untilClosed(socket)).toBe('')
    introduce(alice, bob)
    await isWell(bob, alice)
  })

  test('a session is not resumed: each connection proves its key anew', async () => {
    const [alice, bob] = await pair()
    const tickets: Buffer[] = []
    const first = await secureTo(bob.port, alice)
    first.on('session', (session) => tickets.push(session))
    first.write(upgradeRequest())
    await once(first, 'data')
    first.destroy()
    for (const session of tickets) {
      const again = await secureTo(bob.port, undefined, { session } as never)
      expect(again.isSessionReused()).toBe(false)
      expect(await untilClosed(again)).toBe('')
    }
  })
})

describe('a man in the middle', () => {
  /** A TLS proxy: a listener for the dialer and a dialer for the listener, each with a key of his choice. */
  async function proxy(
    bob: TestMachine,
    { toDialer, toListener }: Record<'toDialer' | 'toListener', TestMachine | ReturnType<typeof newIdentity>>,
  ) {
    return kept(
      await hostileListener(toDialer, async (near) => {
        const far = await secureTo(bob.port, toListener)
        near.on('close', () => far.destroy())
        far.on('close', () => near.destroy())
        near.pipe(far).pipe(near)
      }),
    )
  }

  test('with keys of his own is found by the dialer', async () => {
    const [alice, bob] = await pair()
    const { port } = await proxy(bob, { toDialer: newIdentity(), toListener: newIdentity() })
    await expect(alice.dial(bob, { port })).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' })
    expect(bob.told.filter(({ what }) => what === 'opened')).toEqual([])
  })

  test('who is a machine of the roster himself is found by the dialer', async () => {
    const [alice, bob] = await pair()
    const eve = newIdentity()
    for (const one of [alice, bob]) one.roster.set(eve.machine, eve.publicKey)
    const { port } = await proxy(bob, { toDialer: eve, toListener: eve })
    await expect(alice.dial(bob, { port })).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' })
    expect(bob.told.filter(({ what }) => what === 'opened')).toEqual([])
  })

  test('who even holds the listener’s TLS key, and a machine’s of his own, cannot join two sessions', async () => {
    const [alice, bob] = await pair()
    const eve = newIdentity()
    for (const one of [alice, bob]) one.roster.set(eve.machine, eve.publicKey)
    const { port } = await proxy(bob, { toDialer: bob, toListener: eve })
    await expect(alice.dial(bob, { port })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(await bob.next('refused')).toMatchObject({
      why: expect.stringContaining('a key that the roster does not have'),
    })
  })

  test('who holds both TLS keys fails by the binding alone', async () => {
    const [alice, bob] = await pair()
    const { port } = await proxy(bob, { toDialer: bob, toListener: alice })
    await expect(alice.dial(bob, { port })).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('a proof that does not fit'),
    })
    expect(bob.told.filter(({ what }) => what === 'opened')).toEqual([])
  })

  test('cannot show the listener’s certificate without its key, nor play back what it once said', async () => {
    const [alice, bob] = await pair()
    const { createCertificate } = await import('./certificate.ts')
    const [victim, own] = [await createCertificate(bob.pem), await createCertificate(newIdentity().pem)]
    await expect(hostileListener(newIdentity(), () => undefined, { cert: victim.cert, key: own.key })).rejects.toThrow(
      /key values mismatch/,
    )
    // Behind his own in the chain it is no more than an ornament.
    const chain = kept(
      await hostileListener(newIdentity(), () => undefined, { cert: `${own.cert}\n${victim.cert}`, key: own.key }),
    )
    await expect(alice.dial(bob, { port: chain.port })).rejects.toMatchObject({ code: 'IDENTITY_MISMATCH' })

    const tape = kept(await recorder(bob.port))
    const link = await alice.dial(bob, { port: tape.port })
    link.close('recorded')
    await bob.next('closed')
    const back = kept(await player(Buffer.concat(tape.down)))
    await expect(alice.dial(bob, { port: back.port })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('does not speak as a daemon does'),
    })
    // Nor the dialer's words to the listener.
    const socket = netConnect({ port: bob.port, host: '127.0.0.1' }).on('error', () => undefined)
    socket.write(Buffer.concat(tape.up))
    await untilClosed(socket)
    expect(bob.told.filter(({ what }) => what === 'opened')).toHaveLength(1)
  })

  test('who only passes bytes on reads nothing of the machines in them, and changes nothing', async () => {
    const [alice, bob] = await pair()
    const tape = kept(await recorder(bob.port))
    const link = await alice.dial(bob, { port: tape.port })
    link.send('PEER_ROUTE', { envelopes: [golden('envelope/envelope.minimal')] })
    await bob.next('frame')
    const bytes = Buffer.concat([...tape.up, ...tape.down]).toString('latin1')
    const secrets = [alice.machine, bob.machine, ORG, 'PEER_HELLO', 'hello', 'agent-relay', link.id]
    expect(secrets.filter((one) => bytes.includes(one))).toEqual([])
  })
})

describe('before the proof', () => {
  /** Alice's words to a listener that is Bob to TLS, and the other way round: in the clear, as the two see them. */
  async function overheard(): Promise<{ dialer: string; listener: string; machines: TestMachine[] }> {
    const [alice, bob] = await pair()
    let dialer = ''
    const words = kept(
      await hostileListener(bob, async (socket) => {
        await acceptUpgrade(socket)
        socket.on('data', (data) => {
          dialer += unmasked(data)
        })
        socket.write(textFrame(OPENING, { isMasked: false }))
        await once(socket, 'data')
        socket.write(textFrame(CONNECTED, { isMasked: false }))
      }),
    )
    const dialing = alice.dial(bob, { port: words.port })
    dialing.catch(() => undefined)
    await expect.poll(() => dialer).toContain('PEER_HELLO')
    const socket = await secureTo(bob.port, alice)
    const wire = await connectSocket(socket)
    let listener = ''
    wire.listen((event, frame) => {
      listener += JSON.stringify([event, frame])
    })
    wire.emit('PEER_HELLO', { ...helloOf(alice, bob) })
    await expect.poll(() => listener).toContain('PEER_WELCOME')
    socket.destroy()
    return { dialer, listener, machines: [alice, bob] }
  }
  function unmasked(data: Buffer): string {
    const [, second = 0] = data
    const at = (second & 127) === 126 ? 4 : 2
    const mask = data.subarray(at, at + 4)
    return Buffer.from(data.subarray(at + 4).map((byte, n) => byte ^ (mask[n % 4] ?? 0))).toString('latin1')
  }

  test('nothing crosses but ids, nonces, the roster’s version and the path', { timeout: 10_000 }, async () => {
    const { dialer, listener } = await overheard()
    const hello = JSON.parse(/42(\[.*\])/s.exec(dialer)?.[1] ?? '')
    expect(dialer.replace(/.*42\["PEER_HELLO",\{.*\}\]/s, '')).toBe('')
    expect(Object.keys(hello[1])).toEqual(['v', 'org', 'from', 'to', 'bootId', 'nonce', 'rosterVersion', 'path'])
    const [event, welcome] = JSON.parse(listener)
    expect(event).toBe('PEER_WELCOME')
    expect(Object.keys(welcome)).toEqual(['from', 'bootId', 'nonce', 'rosterVersion', 'proof'])
  })

  test.each<[string, unknown]>([
    ['PEER_ROUTE', { envelopes: [golden('envelope/envelope.minimal')] }],
    ['PEER_PING', { n: 1 }],
    ['PEER_FINISH', { proof: 'A'.repeat(86) }],
    ['PEER_WELCOME', {}],
    ['PEER_LATER', {}],
    ['error', 1],
  ])('%s before the hello, or between hello and finish, ends the connection', async (event, frame) => {
    const [alice, bob] = await pair()
    for (const isGreeted of [false, true]) {
      const socket = await secureTo(bob.port, alice)
      const wire = await connectSocket(socket)
      const heard: unknown[] = []
      wire.listen((name, data) => heard.push([name, data]))
      if (isGreeted) wire.emit('PEER_HELLO', helloOf(alice, bob))
      wire.emit(event, frame)
      await once(socket, 'close')
      expect(heard.at(-1)).toEqual(['PEER_REFUSED', { message: PEER_REFUSED }])
      expect((await bob.next('refused')).why).toMatch(/^it was refused here: /)
    }
    expect(bob.told).toEqual([])
    await isWell(bob, alice)
  })

  test('every refusal has the same words', async () => {
    const [alice, bob] = await pair()
    const carol = newIdentity()
    bob.roster.set(carol.machine, carol.publicKey)
    const hello = helloOf(alice, bob)
    const wrong = [
      { ...hello, org: randomUUID() },
      { ...hello, to: randomUUID() },
      { ...hello, from: carol.machine },
      { ...hello, v: 2 },
      { ...hello, nonce: 'short' },
      null,
    ]
    const answers: unknown[] = []
    for (const frame of wrong) {
      const socket = await secureTo(bob.port, alice)
      const wire = await connectSocket(socket)
      wire.listen((...heard) => answers.push(heard.slice(0, 2)))
      wire.emit('PEER_HELLO', frame)
      await once(socket, 'close')
    }
    expect(answers).toEqual(wrong.map(() => ['PEER_REFUSED', { message: PEER_REFUSED }]))
  })

  test('what a listener says right after its proof waits until the link is known', async () => {
    const [alice, bob] = await pair()
    const key = createPrivateKey(bob.pem)
    const handshakes = createHandshakes({
      ...bob.side,
      publicKey: bob.publicKey,
      sign: (text) => sign(null, Buffer.from(text), key).toString('base64url'),
    })
    const listener = kept(
      await hostileListener(bob, async (socket) => {
        const binding = socket
          .exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
          .toString('base64url')
        const nonce = randomBytes(32).toString('base64url')
        const listening = handshakes.listen({ nonce, binding, peerKey: alice.publicKey })
        await acceptUpgrade(socket)
        socket.write(Buffer.concat([OPENING, CONNECTED].map((text) => textFrame(text, { isMasked: false }))))
        socket.on('data', (data) => {
          const hello = /42\["PEER_HELLO",(.*)\]/s.exec(unmasked(data))?.[1]
          const outcome = hello === undefined ? undefined : listening.hello(JSON.parse(hello))
          if (outcome === undefined || outcome.isRefused) return
          const words = [
            ['PEER_WELCOME', outcome.welcome],
            ['PEER_PING', { n: 1 }],
            ['PEER_GOODBYE', { why: 'done' }],
          ]
          // In one write, and so in one read of the dialer's.
          socket.write(Buffer.concat(words.map((one) => textFrame(`42${JSON.stringify(one)}`, { isMasked: false }))))
        })
      }),
    )
    let link: unknown
    const told: unknown[] = []
    const dialing = alice.dial(bob, { port: listener.port }).then((dialed) => {
      link = dialed
    })
    const frame = alice.next('frame').then((one) => told.push(one.frame, one.link === link))
    const closed = alice.next('closed').then((one) => told.push('closed', one.link === link))
    await Promise.all([dialing, frame, closed])
    expect(told).toEqual([{ n: 1 }, true, 'closed', true])
  })

  test('a frame before the listener has proved itself ends the dial', async () => {
    const [alice, bob] = await pair()
    for (const packet of [
      '42["PEER_PING",{"n":1}]',
      '42["PEER_WELCOME",{}]',
      '42["PEER_FINISH",{}]',
      '42["PEER_REFUSED"]',
    ]) {
      const listener = kept(
        await hostileListener(bob, async (socket) => {
          await acceptUpgrade(socket)
          for (const text of [OPENING, CONNECTED, packet]) socket.write(textFrame(text, { isMasked: false }))
        }),
      )
      await expect(alice.dial(bob, { port: listener.port })).rejects.toMatchObject({
        code: expect.stringMatching(/^(FORBIDDEN|UNAVAILABLE)$/),
      })
    }
    expect(alice.told).toEqual([])
  })
})

const helloOf = (from: TestMachine, to: TestMachine) => ({
  v: PEER_VERSION,
  org: ORG,
  from: from.machine,
  to: to.machine,
  bootId: randomUUID(),
  nonce: randomBytes(32).toString('base64url'),
  rosterVersion: 1,
  path: 'lan' as const,
})

describe('HTTP of a machine of the roster', () => {
  const origin = { Origin: 'https://example.com' }
  test.each([
    ['a plain request', `GET ${PEER_PATH}/?EIO=4&transport=polling HTTP/1.1\r\nHost: peer\r\n\r\n`],
    ['a request for anything else', 'GET / HTTP/1.1\r\nHost: peer\r\n\r\n'],
    ['a proxy’s request', 'CONNECT example.com:443 HTTP/1.1\r\nHost: peer\r\n\r\n'],
    ['a request that is none', 'HELLO\r\n\r\n'],
    ['an upgrade of another path', upgradeRequest('/socket.io/?EIO=4&transport=websocket')],
    ['an upgrade of a longer path', upgradeRequest(`${PEER_PATH}/more?EIO=4&transport=websocket`)],
    ['an upgrade to polling', upgradeRequest(`${PEER_PATH}/?EIO=4&transport=polling`)],
    ['an older Engine.IO', upgradeRequest(`${PEER_PATH}/?EIO=3&transport=websocket`)],
    ['an upgrade of another’s session', upgradeRequest(`${PEER_URL}&sid=AAAAAAAAAAAAAAAAAAAA`)],
    ['a browser', upgradeRequest(PEER_URL, origin)],
    ['an endless header', `GET ${PEER_URL} HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`],
    ['a body', `POST ${PEER_URL} HTTP/1.1\r\nHost: peer\r\nContent-Length: 5\r\n\r\nhello`],
    ['a wrong address', upgradeRequest('//')],
  ])('%s is cut', async (_, request) => {
    const [alice, bob] = await pair()
    const socket = await secureTo(bob.port, alice)
    const all = untilClosed(socket)
    socket.write(request)
    const at = performance.now()
    expect(await all).not.toContain('101')
    // At once, not when its time is over.
    expect(performance.now() - at).toBeLessThan(3_000)
    expect(bob.told.filter(({ what }) => what === 'opened')).toEqual([])
    await isWell(bob, alice)
  })
})

describe('time and space', () => {
  test('whoever does not prove himself within 5 s is cut, wherever he stopped', { timeout: 15_000 }, async () => {
    const [alice, bob] = await pair()
    const silent = netConnect({ port: bob.port, host: '127.0.0.1' }).on('error', () => undefined)
    const inTls = netConnect({ port: bob.port, host: '127.0.0.1' }).on('error', () => undefined)
    inTls.write(Buffer.from([22, 3, 1]))
    const afterTls = await secureTo(bob.port, alice)
    const inHttp = await secureTo(bob.port, alice)
    const drip = setInterval(() => inHttp.write('X'), 200)
    const afterUpgrade = await webSocketTo(bob.port, alice)
    const afterConnect = await webSocketTo(bob.port, alice)
    afterConnect.write(textFrame('40'))
    const pings = setInterval(() => afterConnect.write(textFrame('3')), 200)
    const afterHello = await secureTo(bob.port, alice)
    const wire = await connectSocket(afterHello)
    wire.listen(() => undefined)
    wire.emit('PEER_HELLO', helloOf(alice, bob))
    const at = performance.now()
    const all = [silent, inTls, afterTls, inHttp, afterUpgrade, afterConnect, afterHello]
    await Promise.all(all.map(untilClosed))
    clearInterval(drip)
    clearInterval(pings)
    const took = performance.now() - at
    expect([took > 4_000, took < 7_000]).toEqual([true, true])
    await isWell(bob, alice)
  })

  test('of many who prove nothing the oldest give way, to strangers and to machines', async () => {
    const alice = await start()
    const bob = await start({ maxHalfOpen: 20, maxHalfOpenOfOne: 10 })
    introduce(alice, bob)
    const crowd = Array.from({ length: 50 }, () =>
      netConnect({ port: bob.port, host: '127.0.0.1' }).on('error', () => undefined),
    )
    const left = new Set(crowd)
    for (const one of crowd) one.resume().once('close', () => left.delete(one))
    await expect.poll(() => left.size).toBe(10)
    await isWell(bob, alice)
    for (const one of crowd) one.destroy()
  })

  test('a packet over the limit ends the connection, from either end', { timeout: 30_000 }, async () => {
    const [alice, bob] = await pair()
    const near = await alice.dial(bob)
    const { link: far } = await bob.next('opened')
    // It would be passed over, if it were not so large.
    const later = 'PEER_LATER' as keyof PeerFrames
    const large = { why: 'x'.repeat(9 * 1024 * 1024) }
    far.send(later, large)
    expect(await alice.next('closed')).toMatchObject({ link: near })
    expect(await bob.next('closed')).toMatchObject({ link: far })
    const again = await alice.dial(bob)
    await bob.next('opened')
    again.send(later, large)
    await Promise.all([alice.next('closed'), bob.next('closed')])
    const last = await alice.dial(bob)
    last.send(later, { why: 'x'.repeat(7 * 1024 * 1024) })
    last.send('PEER_PING', { n: 1 })
    expect(await bob.next('frame')).toMatchObject({ frame: { n: 1 } })
  })

  test('half of a handshake from each of a hundred connections is nothing that stays', async () => {
    const [alice, bob] = await pair()
    for (let n = 0; n < 100; n++) {
      const socket = await secureTo(bob.port, alice)
      if (n % 2 === 0) socket.write(upgradeRequest())
      socket.destroy()
    }
    for (let n = 0; n < 100; n++) await bob.next('refused')
    await isWell(bob, alice)
  })
})

describe('garbage', () => {
  /** What Engine.IO and Socket.IO could take for a packet, and what neither does. */
  const packet: fc.Arbitrary<string | Buffer> = fc.oneof(
    fc.constantFrom(
      '',
      '0',
      '0null',
      '0{}',
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
      '7',
      'b',
      'bAAAA',
      '2probe',
      '0{"sid":1}',
      '0[]',
    ),
    fc.constantFrom(
      '40',
      '41',
      '42',
      '43',
      '44',
      '45',
      '46',
      '49',
      '40/x,',
      '40{}',
      '42/x,["a"]',
      '421',
      '42[1]',
      '42[null]',
    ),
    fc.constantFrom(
      '42[]',
      '42["disconnect"]',
      '42["connect"]',
      '42["error",{}]',
      '42["__proto__",{}]',
      '42{}',
      '44{}',
      '44null',
    ),
    fc.constantFrom(
      '451-["a",{"_placeholder":true,"num":0}]',
      '4599999-["a"]',
      '45',
      '4511-[]',
      '461-0[]',
      '43[1]',
      '430[]',
      '44"x"',
    ),
    fc.constantFrom(
      '420["PEER_PING",{"n":1}]',
      '42["PEER_HELLO"]',
      '421["PEER_LATER"]',
      '42[0,{}]',
      '42["PEER_REFUSED",{}]',
    ),
    fc.string().map((text) => `4${text}`),
    fc.string(),
    fc
      .constantFrom(...fixtures)
      .chain(({ value, frame }) => mutated(value).map((odd) => `42${JSON.stringify([frame, odd])}`)),
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  )
  /** In WebSocket's frames of any kind, or in none. */
  const chunk = (isMasked: boolean): fc.Arbitrary<Buffer> =>
    fc.oneof(
      { weight: 6, arbitrary: packet.map((text) => textFrame(text, { isMasked })) },
      {
        weight: 1,
        arbitrary: fc.tuple(packet, fc.nat(255)).map(([text, first]) => textFrame(text, { isMasked, first })),
      },
      { weight: 1, arbitrary: packet.map((text) => Buffer.from(text)) },
    )
  const numRuns = 150

  test('to a listener ends in a close', { timeout: 60_000 }, async () => {
    const [alice, bob] = await pair()
    await fc.assert(
      fc.asyncProperty(
        fc.array(chunk(true), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (chunks, isConnected) => {
          const socket = await webSocketTo(bob.port, alice)
          const closed = untilClosed(socket)
          if (isConnected) socket.write(textFrame('40'))
          for (const one of chunks) socket.write(one)
          socket.end()
          await closed
        },
      ),
      { numRuns },
    )
    expect(bob.told.filter(({ what }) => what === 'opened' || what === 'frame')).toEqual([])
    bob.told.length = 0
    await isWell(bob, alice)
  })

  test('to a listener instead of TLS, or within it, ends in a close', { timeout: 60_000 }, async () => {
    const [alice, bob] = await pair()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.boolean(), async (bytes, isSecure) => {
        const socket = isSecure
          ? await secureTo(bob.port, alice)
          : netConnect({ port: bob.port, host: '127.0.0.1' }).on('error', () => undefined)
        const closed = untilClosed(socket)
        socket.end(bytes)
        await closed
      }),
      { numRuns },
    )
    await isWell(bob, alice)
  })

  test('from a listener ends the dial', { timeout: 60_000 }, async () => {
    const [alice, bob] = await pair()
    let chunks: Buffer[] = []
    let isUpgraded = true
    const listener = kept(
      await hostileListener(bob, async (socket) => {
        if (isUpgraded) await acceptUpgrade(socket)
        for (const one of chunks) socket.write(one)
        socket.end()
      }),
    )
    const opening = [OPENING, CONNECTED].map((text) => textFrame(text, { isMasked: false }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(chunk(false), { maxLength: 6 }),
        fc.nat(2),
        fc.boolean(),
        async (odd, opened, isOurUpgrade) => {
          chunks = [...opening.slice(0, opened), ...odd]
          isUpgraded = isOurUpgrade || opened > 0
          await expect(alice.dial(bob, { port: listener.port })).rejects.toMatchObject({ name: 'RelayError' })
        },
      ),
      { numRuns },
    )
    expect(alice.told).toEqual([])
    await isWell(bob, alice)
  })

  test('on a link that is proved leaves it, or ends it with a reason, and nothing unread gets through', {
    timeout: 60_000,
  }, async () => {
    const [alice, bob] = await pair()
    const frames = fixtures.filter(({ channel }) => channel === 'peer' || channel === 'control')
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc
            .constantFrom(...frames)
            .chain(({ frame, value }) =>
              fc.tuple(fc.constantFrom(frame, 'PEER_ROUTE', 'PEER_ACK', 'PEER_PING', 'PEER_SIGNAL'), mutated(value)),
            ),
          { minLength: 1, maxLength: 5 },
        ),
        async (odd) => {
          const [from, to] = odd.length % 2 === 0 ? [alice, bob] : [bob, alice]
          const link = await from.dial(to)
          for (const [event, frame] of odd) link.send(event as keyof PeerFrames, frame as never)
          link.close('done')
          await Promise.all([from.next('closed'), to.next('closed')])
        },
      ),
      { numRuns: 100 },
    )
    alice.told.length = 0
    bob.told.length = 0
    await isWell(bob, alice)
  })
})

test('a machine that was greeted by a stranger’s connection keeps working for a browser’s user', async () => {
  // A page can make a browser connect to this port, but only in the clear, or in TLS with a certificate of the browser's choice.
  const [alice, bob] = await pair()
  const plain = netConnect({ port: bob.port, host: '127.0.0.1' }).on('error', () => undefined)
  plain.write(upgradeRequest(PEER_URL, { Origin: 'https://example.com' }))
  expect(await untilClosed(plain)).not.toContain('HTTP')
  const tls: TLSSocket = tlsConnect({ port: bob.port, host: '127.0.0.1', rejectUnauthorized: false })
  tls.on('error', () => undefined)
  tls.write(upgradeRequest(PEER_URL, { Origin: 'https://example.com' }))
  expect(await untilClosed(tls)).toBe('')
  await sleep(0)
  await isWell(bob, alice)
})
