/** The golden frames of direct links against the handshake and the links of two machines, which say and take just these. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { PeerFrames } from '@agent-relay/protocol'
import { casesOf, golden, goldenKey, goldenListenerKey } from '@agent-relay/protocol/fixtures'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHandshakes } from '../../src/peers/handshake.ts'
import { readPeerFrame } from '../../src/peers/peer-frame.ts'
import { introduce, startMachine, type TestMachine } from '../../src/peers/testing.ts'
import type { PeerLink } from '../../src/peers/transport.ts'

const publicKey = (key: KeyObject): string => createPublicKey(key).export({ format: 'jwk' }).x as string
const hello = golden('peer/PEER_HELLO.usual')
const welcome = golden('peer/PEER_WELCOME.usual')
const finish = golden('peer/PEER_FINISH.usual')
const binding = Buffer.alloc(32, 3).toString('base64url')

const roster = new Map([
  [hello.from, publicKey(goldenKey)],
  [hello.to, publicKey(goldenListenerKey)],
])
const handshakesOf = (key: KeyObject, machine: string, { bootId, rosterVersion }: typeof hello | typeof welcome) =>
  createHandshakes({
    org: hello.org,
    machine,
    bootId,
    publicKey: publicKey(key),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64url'),
    publicKeyOf: (id) => roster.get(id),
    machineOf: (known) => [...roster].find(([, one]) => one === known)?.[0],
    rosterVersion: () => rosterVersion,
    behind: () => undefined,
  })
const dial = () =>
  handshakesOf(goldenKey, hello.from, hello).dial(
    { machine: hello.to, path: hello.path },
    { nonce: hello.nonce, binding, peerKey: publicKey(goldenListenerKey) },
  )
const listen = () =>
  handshakesOf(goldenListenerKey, hello.to, welcome).listen({
    nonce: welcome.nonce,
    binding,
    peerKey: publicKey(goldenKey),
  })

test('the dialer says the golden hello, and answers the golden welcome with the golden finish', () => {
  const dialing = dial()
  expect(JSON.stringify(dialing.hello)).toBe(JSON.stringify(hello))
  expect(dialing.welcome(welcome)).toEqual({
    isRefused: false,
    finish,
    proved: { machine: hello.to, bootId: welcome.bootId, kind: 'lan', linkId: 'gmxcT812xVLl-hZp' },
  })
})

test('the listener answers the golden hello with the golden welcome, and takes the golden finish', () => {
  const listening = listen()
  const answer = listening.hello(hello)
  expect(JSON.stringify((answer as { welcome?: unknown }).welcome)).toBe(JSON.stringify(welcome))
  expect(listening.finish(finish)).toEqual({
    isRefused: false,
    proved: { machine: hello.from, bootId: hello.bootId, kind: 'lan', linkId: 'gmxcT812xVLl-hZp' },
  })
})

test('the golden proof is for its own hello only', () => {
  const listening = listen()
  expect(listening.hello(golden('peer/PEER_HELLO.punched'))).toMatchObject({ isRefused: false })
  expect(listening.finish(finish)).toMatchObject({ isRefused: true })
})

let alice: TestMachine
let bob: TestMachine
let near: PeerLink
beforeAll(async () => {
  alice = await startMachine()
  bob = await startMachine()
  introduce(alice, bob)
  near = await alice.dial(bob)
  await bob.next('opened')
})
afterAll(async () => {
  for (const { transport } of [alice, bob]) await transport.close()
})

const events = ['PEER_ROUTE', 'PEER_ACK', 'PEER_PING', 'PEER_PONG', 'PEER_SIGNAL'] as const
const said = events
  .flatMap((event) => casesOf('peer', event).map((one) => ({ ...one, event })))
  .map((one) => ({ ...one, name: `${one.event}.${one.case}` }))

test.each(said)('a link carries the golden $name', async ({ event, value, wire }) => {
  near.send(event, value as PeerFrames[typeof event])
  const { frame } = await bob.next('frame')
  expect(JSON.stringify(frame)).toBe(wire)
})

test.each(said)('the golden $name is read with fields that only a later version knows', ({ event, value }) => {
  expect(readPeerFrame(event, { ...(value as object), later: 1 })).toEqual({ what: 'frame', event, frame: value })
})

test('the golden goodbye ends a link with its reason', async () => {
  near.send('PEER_GOODBYE', golden('peer/PEER_GOODBYE.usual'))
  expect(await bob.next('closed')).toMatchObject({ why: 'the other end closed it: idle' })
})
