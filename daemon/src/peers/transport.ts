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
  /** Never throws; on a closed link it does nothing. */
  send<E extends keyof PeerFrames>(event: E, frame: PeerFrames[E]): void
  /** Handed over and not yet taken by the operating system. */
  bufferedBytes(): number
  /** Says goodbye and closes; `closed` is told of it, too. */
  close(why: string): void
}

export type Dial = {
  machine: string
  candidate: Candidate
  /** The local port of a punched connection, shared with the connection by which the address was learned. */
  localPort?: number
  /** ms until the connection must be open; the handshake has PEER_HANDSHAKE_MS beyond. */
  timeoutMs: number
  signal: AbortSignal
}

export type PeerTransport = {
  /** Takes links from now on. Gives the port; 0 asks for any. Rejects when the port cannot be had. */
  listen(port: number): Promise<number>
  /** Rejects with a RelayError that says what happened: refused, unreachable, timed out, not the machine that was meant. */
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
  rosterVersion(): number
  /** The other end holds a newer roster; what it knows may not be known here: ask for it. */
  behind(version: number): void
  /** A machine has dialed this one and both have proved. */
  opened(link: PeerLink): void
  /** Checked against its schema. */
  frame<E extends keyof PeerFrames>(link: PeerLink, event: E, frame: PeerFrames[E]): void
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
