/**
 * How two machines prove to each other who they are: PEER_HELLO, PEER_WELCOME, PEER_FINISH. Each end is a machine of states
 * without sockets, timers and randomness: those come from outside, as does what binds both proofs to one TLS session.
 */
import { createHash } from 'node:crypto'
import {
  type CandidateKind,
  handshakeText,
  PEER_VERSION,
  type PeerFinish,
  PeerFinish as PeerFinishFrame,
  PeerHello,
  PeerWelcome,
  prefixed,
} from '@agent-relay/protocol'
import { isSigned } from '@agent-relay/protocol/crypto'
import type { PeerSide } from './transport.ts'

/** Nonces in memory, our own among them. What is forgotten is still refused: every proof is over a nonce of both ends. */
const MAX_NONCES = 8_192
/** Machines whose newest roster is remembered; more than any organization has. */
const MAX_SEEN = 8_192

type Side = Pick<PeerSide, 'org' | 'machine' | 'bootId' | 'publicKeyOf' | 'machineOf' | 'rosterVersion' | 'behind'> & {
  /** base64url of this machine's raw Ed25519 identity. */
  publicKey: string
  /** base64url Ed25519 signature of the text's UTF-8 bytes with it. */
  sign(text: string): string
}

/** What one connection brings. */
type Connection = {
  /** 32 random bytes in base64url, of this handshake only. */
  nonce: string
  /** base64url of what the TLS session exports. */
  binding: string
  /** The identity that the other end's certificate proved to TLS. */
  peerKey: string
}

/** The other end, proved. */
export type Proved = {
  /** The same at both ends. */
  linkId: string
  machine: string
  bootId: string
  kind: CandidateKind
}

/** `why` is for our own log: the other end is told PEER_REFUSED and nothing else. */
export type Refused = { isRefused: true; why: string }
type Outcome<T> = (T & { isRefused: false }) | Refused

export type Dialing = {
  hello: PeerHello
  /** Takes the listener's answer, whatever it is; the other end is proved when it is not refused. */
  welcome(frame: unknown): Outcome<{ finish: PeerFinish; proved: Proved }>
}
export type Listening = {
  hello(frame: unknown): Outcome<{ welcome: PeerWelcome }>
  finish(frame: unknown): Outcome<{ proved: Proved }>
}

export type Handshakes = {
  dial(to: { machine: string; path: CandidateKind }, connection: Connection): Dialing
  /** `expects`: the only machine that may come, when it is known. */
  listen(connection: Connection, expects?: string): Listening
}

/** All handshakes of one machine: they share what was seen before. */
export function createHandshakes(side: Side): Handshakes {
  const nonces = new Set<string>()
  /** The newest roster that each machine has shown, once it was proved. */
  const seen = new Map<string, number>()

  /** False for a nonce that was there before, ours included: a replay, or our own words said back to us. */
  function isNew(nonce: string): boolean {
    if (nonces.has(nonce)) return false
    remember(nonce)
    return true
  }

  function remember(nonce: string): void {
    nonces.add(nonce)
    if (nonces.size > MAX_NONCES) nonces.delete(nonces.values().next().value as string)
  }

  function sawRoster(machine: string, version: number): void {
    const newest = Math.max(version, seen.get(machine) ?? 0)
    seen.delete(machine)
    seen.set(machine, newest)
    if (seen.size > MAX_SEEN) seen.delete(seen.keys().next().value as string)
  }

  const isBehind = (version: number): boolean => version > side.rosterVersion()
  const isKnown = (machine: string, key: string): boolean =>
    machine !== side.machine && side.publicKeyOf(machine) === key

  function dial({ machine, path }: { machine: string; path: CandidateKind }, connection: Connection): Dialing {
    const { nonce, binding, peerKey } = connection
    remember(nonce)
    const floor = seen.get(machine) ?? 0
    let isOver = false
    const { org, bootId } = side
    const hello: PeerHello = {
      v: PEER_VERSION,
      org,
      from: side.machine,
      to: machine,
      bootId,
      nonce,
      rosterVersion: side.rosterVersion(),
      path,
    }

    function welcome(frame: unknown): Outcome<{ finish: PeerFinish; proved: Proved }> {
      if (isOver) return refused('a second answer')
      isOver = true
      const read = PeerWelcome.safeParse(frame)
      if (!read.success) return refused('an answer that cannot be read')
      const { proof, ...welcome } = read.data
      if (welcome.from !== machine) return refused(`an answer from machine ${welcome.from}`)
      if (isBehind(welcome.rosterVersion)) side.behind(welcome.rosterVersion)
      if (!isKnown(machine, peerKey)) return refused('a key that the roster does not have for it')
      if (!isNew(welcome.nonce)) return refused('a nonce that was used before')
      const keys = { dialerKey: side.publicKey, listenerKey: peerKey }
      const digest = digestOf(handshakeText({ hello, welcome, ...keys, binding }))
      if (!isSigned(peerKey, `L${digest}`, proof)) return refused('a proof that does not fit')
      if (welcome.rosterVersion < floor) return refused(olderRoster(welcome.rosterVersion, floor))
      sawRoster(machine, welcome.rosterVersion)
      const proved = { machine, bootId: welcome.bootId, kind: path, linkId: linkIdOf(nonce, welcome.nonce) }
      return { isRefused: false, finish: { proof: side.sign(`D${digest}`) }, proved }
    }

    return { hello, welcome }
  }

  function listen({ nonce, binding, peerKey }: Connection, expects?: string): Listening {
    remember(nonce)
    const from = side.machineOf(peerKey)
    const floor = from === undefined ? 0 : (seen.get(from) ?? 0)
    let waitsFor: 'hello' | 'finish' | 'nothing' = 'hello'
    let digest = ''
    let rosterVersion = 0
    let proved: Proved | undefined

    function hello(frame: unknown): Outcome<{ welcome: PeerWelcome }> {
      if (waitsFor !== 'hello') return refused('a second hello')
      waitsFor = 'nothing'
      const read = PeerHello.safeParse(frame)
      if (!read.success) return refused('a hello that cannot be read')
      const hello = read.data
      if (hello.v !== PEER_VERSION) return refused(`version ${hello.v}`)
      if (hello.org !== side.org) return refused('another organization')
      if (hello.to !== side.machine) return refused(`a hello for machine ${hello.to}`)
      // Before the key is looked up: whoever is not here yet may be in the newer roster.
      if (isBehind(hello.rosterVersion)) side.behind(hello.rosterVersion)
      if (hello.from !== from || !isKnown(hello.from, peerKey)) return refused('a key that the roster does not have')
      if (expects !== undefined && hello.from !== expects) return refused(`not machine ${expects}`)
      if (!isNew(hello.nonce)) return refused('a nonce that was used before')
      if (hello.rosterVersion < floor) return refused(olderRoster(hello.rosterVersion, floor))
      rosterVersion = hello.rosterVersion
      const welcome = { from: side.machine, bootId: side.bootId, nonce, rosterVersion: side.rosterVersion() }
      const keys = { dialerKey: peerKey, listenerKey: side.publicKey }
      digest = digestOf(handshakeText({ hello, welcome, ...keys, binding }))
      proved = { machine: from, bootId: hello.bootId, kind: hello.path, linkId: linkIdOf(hello.nonce, nonce) }
      waitsFor = 'finish'
      return { isRefused: false, welcome: { ...welcome, proof: side.sign(`L${digest}`) } }
    }

    function finish(frame: unknown): Outcome<{ proved: Proved }> {
      if (waitsFor !== 'finish' || proved === undefined) return refused('a finish out of turn')
      waitsFor = 'nothing'
      const read = PeerFinishFrame.safeParse(frame)
      if (!read.success) return refused('a finish that cannot be read')
      if (!isSigned(peerKey, `D${digest}`, read.data.proof)) return refused('a proof that does not fit')
      // It may have been revoked between its two words.
      if (!isKnown(proved.machine, peerKey)) return refused('a key that the roster does not have any more')
      sawRoster(proved.machine, rosterVersion)
      return { isRefused: false, proved }
    }

    return { hello, finish }
  }

  return { dial, listen }
}

const refused = (why: string): Refused => ({ isRefused: true, why })
const olderRoster = (version: number, floor: number): string =>
  `roster ${version}, though it had ${floor} before: it went back`

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** 96 bits that both ends know and nobody chose alone. */
const linkIdOf = (one: string, other: string): string => digestOf(prefixed([one, other].sort())).slice(0, 16)
