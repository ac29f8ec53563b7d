/** The words of the link manager: what it is told, what it wants done, and what it says to people. */
import type { Candidate, CandidateKind, PeerSignal } from '@agent-relay/protocol'
import type { PeerLink } from '../transport.ts'

/** A connection on which both ends have proved, as the transport gives it. */
export type LinkFacts = Pick<PeerLink, 'id' | 'machine' | 'bootId' | 'role' | 'kind' | 'remote'>

/** The signals that are about links. */
export type LinkSignal = Extract<PeerSignal, { type: 'candidates' | 'punch' }>

export type KnownMachine = {
  /** base64url of its Ed25519 identity. */
  publicKey: string
  /** It has a key to which signals can be sealed; older programs have none and make no direct links. */
  canBeAsked: boolean
  isOnline: boolean
}

export type LinkEvent =
  /** Whom the roster has now, without this machine and the control plane's; who is missing loses its links at once. */
  | { type: 'roster'; machines: ReadonlyMap<string, KnownMachine> }
  /** Why no links are made (refused, roster too old, not linked); null: they are made. */
  | { type: 'allowed'; offBecause: string | null }
  /** Whether signals can be sent by way of the control plane. */
  | { type: 'online'; isOnline: boolean }
  /** How this machine can be reached now. `hosts`: addresses of its interfaces. `isNew`: it is in another network than before. */
  | {
      type: 'candidates'
      candidates: readonly Candidate[]
      hosts: readonly string[]
      canPunch: boolean
      isNew: boolean
    }
  /** The answer to `learn`; null when nothing could be learned. */
  | { type: 'punched'; candidate: Candidate | null }
  /** This machine slept. */
  | { type: 'woke' }
  /** Messages were sent to it or came from it, by whichever path. */
  | { type: 'demand'; machine: string }
  /** What came of a `dial`. */
  | { type: 'dialed'; dial: number; link: LinkFacts }
  | { type: 'undialed'; dial: number; why: string }
  /** A machine has dialed this one. */
  | { type: 'opened'; link: LinkFacts }
  | { type: 'closed'; link: string; why: string }
  /** A frame came by this link that is no pong. */
  | { type: 'heard'; link: string }
  | { type: 'pong'; link: string; n: number }
  | { type: 'signal'; machine: string; signal: LinkSignal }
  /** A signal did not get to it; `why` for people. */
  | { type: 'unsignaled'; machine: string; why: string }
  | { type: 'tick' }

export type LinkEffect =
  | { type: 'dial'; dial: number; machine: string; candidate: Candidate; timeoutMs: number }
  | { type: 'abort'; dial: number }
  | { type: 'ping'; link: string; n: number }
  | { type: 'close'; link: string; why: string }
  | { type: 'signal'; machine: string; signal: LinkSignal }
  /** Messages to this machine go by this link from now on; null: by the relay. What was under way may be lost. */
  | { type: 'use'; machine: string; link: string | null; why: string }
  /** Learn how the control plane sees the shared port; answered by `punched`. */
  | { type: 'learn' }
  /** The view of this machine changed. */
  | { type: 'changed'; machine: string }

const kindWords: Record<CandidateKind, string> = {
  local: 'on this computer',
  vpn: 'over a VPN that both are in',
  lan: 'on the same network',
  public: 'over a public address',
  advertised: 'over an advertised address',
  mapped: 'over a port that a router opened',
  punched: 'through both routers, met half-way',
}
export const wordsOf = (kind: CandidateKind): string => kindWords[kind]

/** `[fd00::1]:4000`, `192.168.1.5:4000`. */
export const addressOf = ({ host, port }: { host: string; port: number }): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
