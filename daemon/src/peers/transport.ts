/** What the link manager knows of a way to carry frames between two machines. Another transport needs this and nothing else. */
import type { Candidate, CandidateKind, PeerFrames } from '@agent-relay/protocol'

/** A connection on which both ends have proved who they are. */
export type PeerLink = {
  /** The same at both ends: from both nonces of the handshake. */
  readonly id: string
  /** The machine at the other end, proved. */
  readonly machine: string
  /** Of the other end's run: a new one means that it lost what it had in memory. */
  readonly bootId: string
  readonly role: 'dialer' | 'listener'
  /** As the dialer named it in its first word. */
  readonly kind: CandidateKind
  readonly remote: { host: string; port: number }
  /** One emit a call: gather what leaves in one tick. Never throws; on a closed link it does nothing. */
  send<E extends keyof PeerFrames>(event: E, frame: PeerFrames[E]): void
  /** Handed over and not yet taken by the operating system. */
  bufferedBytes(): number
  /** Says goodbye and closes; `closed` is told of it, too, a moment later. Nothing is delivered from here on. */
  close(why: string): void
}

export type Dial = {
  machine: string
  candidate: Candidate
  /** The local port of a punched connection, shared with the connection by which the address was learned. */
  localPort?: number
  /**
   * Who says the first word, in TLS and in the handshake; `dialer` unless said. Of a punched connection both ends dial, and
   * one of them must listen: the machine with the lesser id.
   */
  role?: 'dialer' | 'listener'
  /** ms until the connection must be open; the handshake has PEER_HANDSHAKE_MS beyond. */
  timeoutMs: number
  signal: AbortSignal
}

export type PeerTransport = {
  /** Takes links from now on. Gives the port; 0 asks for any. Rejects with CONFLICT or FORBIDDEN when the port cannot be had. */
  listen(port: number): Promise<number>
  /**
   * The link, proved, before any of its frames. Rejects with a RelayError that says what happened: UNAVAILABLE (refused,
   * unreachable, given up), TIMEOUT, IDENTITY_MISMATCH (another machine answered), FORBIDDEN (one end refused the other),
   * NOT_FOUND (the machine is not in the roster that is believed now).
   */
  dial(dial: Dial): Promise<PeerLink>
  /** Closes every link and the listener. */
  close(): Promise<void>
}

/** What a transport asks and tells. */
export type PeerSide = {
  org: string
  machine: string
  bootId: string
  /** This machine's Ed25519 private key, PEM: proofs and the certificate are made with it. */
  identityKey: string
  /** The identity of another machine by the roster that is believed now; undefined when it is not there, revoked, or the roster is too old. */
  publicKeyOf(machine: string): string | undefined
  /** The inverse of publicKeyOf, under the same conditions: the pin, asked before anything else of the other end is read. */
  machineOf(publicKey: string): string | undefined
  rosterVersion(): number
  /**
   * The other end holds a newer roster; what it knows may not be known here: ask for it. Whoever says so need not have proved
   * anything yet, so this may be no more than a reason to ask.
   */
  behind(version: number): void
  /** A machine has dialed this one and both have proved. Two links to one machine may be open: which stays is not decided here. */
  opened(link: PeerLink): void
  /** Checked against its schema. */
  frame<E extends keyof PeerFrames>(link: PeerLink, event: E, frame: PeerFrames[E]): void
  /** Once for every link that was given out, never from within send() or close(). */
  closed(link: PeerLink, why: string): void
}

/** How the way to another machine is, for people. */
export type PeerView = {
  machine: string
  state: 'relay' | 'probing' | 'direct' | 'suspect'
  kind: CandidateKind | null
  remote: { host: string; port: number } | null
  /** Round trip of the last probe in ms. */
  latencyMs: number | null
  /** Why it goes this way, in words. */
  why: string
  /** When it became so, ms on the daemon's clock. */
  since: number
}
