/**
 * Links over Socket.IO within TLS. Whoever's key is not in the roster is cut after TLS, before anything else of it is read;
 * then three frames prove both ends to each other and to this very connection. A punched connection is one like any other.
 */
import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import type { Socket } from 'node:net'
import { PEER_HANDSHAKE_MS } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'
import { createAttempt } from './attempt.ts'
import { createCertificate } from './certificate.ts'
import { createHalfOpen } from './half-open.ts'
import { createHandshakes, type Proved } from './handshake.ts'
import { type Secured, secure, secureContextOf } from './secure.ts'
import { connectSocket } from './socket-client.ts'
import { createLink } from './socket-link.ts'
import { createSocketServer } from './socket-server.ts'
import { createDoor, placeOf, startTcp, tcpTrouble } from './tcp.ts'
import type { Dial, PeerLink, PeerSide, PeerTransport } from './transport.ts'
import { LINGER_MS, type Wire } from './wire.ts'
import { answerOver, dialOver } from './wire-handshake.ts'

/** Links that one machine may have here at once; two dials that meet make two. The oldest gives way. */
const MAX_LINKS_OF_ONE = 8
/** A key that is not here yet is a reason to ask for a newer roster, but anybody can show one: this often and not more. */
const STRANGER_MS = 15_000

export type SocketTransportOptions = {
  /** A connection to this machine that came to nothing; for the log. Called as often as somebody tries. */
  refused?(what: { why: string; host: string }): void
  /** Connections without a proof, in all and of one address. For tests, to fill them. */
  maxHalfOpen?: number
  maxHalfOpenOfOne?: number
}

/** Rejects when `side.identityKey` is no Ed25519 key. */
export async function createSocketTransport(
  side: PeerSide,
  { refused, maxHalfOpen, maxHalfOpenOfOne }: SocketTransportOptions = {},
): Promise<PeerTransport> {
  const context = secureContextOf(await createCertificate(side.identityKey))
  const handshakes = handshakesOf(side)
  const server = createSocketServer()
  const halfOpen = createHalfOpen(maxHalfOpen, maxHalfOpenOfOne)
  const door = createDoor((raw) => void welcome(raw))
  const links = new Set<PeerLink>()
  /** Every connection until it is closed; those on their way to a link are in both. */
  const sockets = new Set<Socket>()
  const underWay = new Set<Socket>()
  let strangerAt = Number.NEGATIVE_INFINITY
  let isClosed = false

  /** `run` until it gives a link. What it needs of the connection, it has; what is left of a failure is cleared away. */
  async function toLink(raw: Socket, run: (hold: Hold) => Promise<PeerLink>): Promise<PeerLink> {
    const hold: Hold = { raw, tls: undefined, wire: undefined, link: undefined }
    sockets.add(raw)
    underWay.add(raw)
    raw.once('close', () => sockets.delete(raw))
    raw.unref()
    try {
      return await run(hold)
    } catch (error) {
      // Lost in the very turn in which it was made: then `closed` tells of it.
      if (hold.link !== undefined) return hold.link
      // A refusal is still on its way out; the wire sees to its end.
      if (hold.wire?.hasEnded() !== true) {
        hold.tls?.destroy()
        raw.destroy()
      }
      throw error
    } finally {
      underWay.delete(raw)
    }
  }

  function linkOf(hold: Hold, wire: Wire, { role, isPromised }: { role: PeerLink['role']; isPromised: boolean }) {
    return (proved: Proved): PeerLink => {
      const link = createLink({ wire, proved, role, side, isPromised, onEnd: () => void links.delete(link) })
      hold.link = link
      links.add(link)
      underWay.delete(hold.raw)
      const same = [...links].filter(({ machine }) => machine === link.machine)
      if (same.length > MAX_LINKS_OF_ONE) same[0]?.close('newer links took its place')
      if (!isPromised) side.opened(link)
      return link
    }
  }

  async function asDialer(hold: Hold, { machine, candidate }: Dial): Promise<PeerLink> {
    const { socket, peerKey, binding } = await securely(hold, 'dialer', placeOf(candidate))
    if (peerKey === undefined || peerKey !== side.publicKeyOf(machine))
      throw new RelayError(
        'IDENTITY_MISMATCH',
        `Another machine answered at ${placeOf(candidate)}, or one that is not machine ${machine} any more.`,
      )
    const wire = await connectSocket(socket).catch((error: Error) => {
      throw new RelayError(
        'UNAVAILABLE',
        `${placeOf(candidate)} took no link (${error.message}): it may not know this machine yet.`,
        { cause: error },
      )
    })
    hold.wire = wire
    const dialing = handshakes.dial({ machine, path: candidate.kind }, { nonce: newNonce(), binding, peerKey })
    return dialOver(wire, dialing, linkOf(hold, wire, { role: 'dialer', isPromised: true }))
  }

  async function asListener(hold: Hold, expects?: string): Promise<PeerLink> {
    const { socket, peerKey, binding } = await securely(hold, 'listener', hold.raw.remoteAddress ?? '')
    if (peerKey === undefined) throw new RelayError('FORBIDDEN', 'It showed no certificate of a machine.')
    const machine = side.machineOf(peerKey)
    if (machine === undefined) meetStranger()
    if (machine === undefined || (expects !== undefined && machine !== expects))
      throw new RelayError(
        'FORBIDDEN',
        `Its key is ${machine === undefined ? 'not in the roster' : 'another machine’s'}.`,
      )
    const listening = handshakes.listen({ nonce: newNonce(), binding, peerKey }, expects)
    const wire = await server.take(socket)
    hold.wire = wire
    return answerOver(wire, listening, linkOf(hold, wire, { role: 'listener', isPromised: expects !== undefined }))
  }

  async function securely(hold: Hold, role: PeerLink['role'], place: string): Promise<Secured> {
    const secured = await secure(hold.raw, role, context).catch((error: Error) => {
      throw new RelayError('UNAVAILABLE', `${place} does not speak as a daemon does: ${error.message}.`, {
        cause: error,
      })
    })
    hold.tls = secured.socket
    return secured
  }

  function meetStranger(): void {
    const now = performance.now()
    if (now - strangerAt < STRANGER_MS) return
    strangerAt = now
    side.behind(side.rosterVersion() + 1)
  }

  /** Somebody connected to this machine. */
  async function welcome(raw: Socket): Promise<void> {
    const host = raw.remoteAddress ?? ''
    const leave = halfOpen.enter(host, () => raw.destroy())
    const attempt = createAttempt(raw, { lost: () => left, givenUp: () => left })
    try {
      await toLink(raw, (hold) => attempt.within(PEER_HANDSHAKE_MS, asListener(hold), () => tooSlow))
    } catch (error) {
      refused?.({ why: (error as Error).message, host })
    } finally {
      leave()
    }
  }

  async function dial(wanted: Dial): Promise<PeerLink> {
    const { machine, candidate, localPort, role = 'dialer', timeoutMs, signal } = wanted
    const target = { ...candidate, localPort }
    const place = placeOf(target)
    if (isClosed) throw stopping
    if (side.publicKeyOf(machine) === undefined)
      throw new RelayError('NOT_FOUND', `Machine ${machine} is not in the roster that is believed now.`)
    const raw = startTcp(target)
    let isConnected = false
    const attempt = createAttempt(raw, {
      signal,
      lost: (error) => (isConnected ? lostAt(place) : tcpTrouble(target, error)),
      givenUp: () => new RelayError('UNAVAILABLE', `The dial of ${place} was given up.`),
    })
    return toLink(raw, async (hold) => {
      const connected = new Promise<void>((resolve) => raw.once('connect', resolve))
      await attempt.within(timeoutMs, connected, () => timedOut(place, timeoutMs))
      isConnected = true
      const proving = role === 'dialer' ? asDialer(hold, wanted) : asListener(hold, machine)
      return attempt.within(PEER_HANDSHAKE_MS, proving, () => unproved(place))
    })
  }

  return {
    async listen(port) {
      if (isClosed) throw stopping
      return door.open(port)
    },
    dial,
    async close() {
      isClosed = true
      door.close()
      for (const raw of underWay) raw.destroy()
      for (const link of [...links]) link.close('the daemon is stopping')
      const closed = [...sockets].map((raw) => new Promise<void>((resolve) => raw.once('close', () => resolve())))
      // Everything else here lets the process end, but not before the goodbyes have left.
      const stay = setTimeout(() => undefined, 2 * LINGER_MS)
      await Promise.all(closed)
      clearTimeout(stay)
      server.close()
    },
  }
}

/** What a connection has become so far. */
type Hold = { raw: Socket; tls: Secured['socket'] | undefined; wire: Wire | undefined; link: PeerLink | undefined }

const newNonce = (): string => randomBytes(32).toString('base64url')

function handshakesOf(side: PeerSide): ReturnType<typeof createHandshakes> {
  const identity = createPrivateKey(side.identityKey)
  return createHandshakes({
    org: side.org,
    machine: side.machine,
    bootId: side.bootId,
    publicKey: createPublicKey(identity).export({ format: 'jwk' }).x as string,
    sign: (text) => sign(null, Buffer.from(text), identity).toString('base64url'),
    publicKeyOf: (machine) => side.publicKeyOf(machine),
    machineOf: (publicKey) => side.machineOf(publicKey),
    rosterVersion: () => side.rosterVersion(),
    behind: (version) => side.behind(version),
  })
}

const left = new RelayError('UNAVAILABLE', 'It closed the connection, or gave way, before it had proved itself.')
const tooSlow = new RelayError('TIMEOUT', `It did not prove itself within ${PEER_HANDSHAKE_MS / 1000} s.`)
const stopping = new RelayError('SHUTTING_DOWN', 'The daemon is stopping.')
const lostAt = (place: string): RelayError =>
  new RelayError(
    'UNAVAILABLE',
    `${place} closed the connection before both had proved: it may not know this machine yet.`,
  )
const timedOut = (place: string, ms: number): RelayError =>
  new RelayError('TIMEOUT', `${place} did not take a connection within ${ms / 1000} s.`)
const unproved = (place: string): RelayError =>
  new RelayError('TIMEOUT', `${place} did not prove itself within ${PEER_HANDSHAKE_MS / 1000} s.`)
