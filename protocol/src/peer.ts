/**
 * What two daemons say to each other without the control plane: the handshake of a direct link, the frames on it, and the
 * signals, sealed from machine to machine, by which they find each other. Names and agents come only after both have proved.
 */
import { z } from 'zod'
import { RelayBatch, ReturnBatch } from './control.ts'
import { MachineId, OrgId, Sealed } from './envelope.ts'
import { Candidate, CandidateKind, MAX_CANDIDATES } from './links.ts'
import { prefixed } from './prefixed.ts'
import { AgentStatus } from './roster.ts'
import { Signature } from './seal-key.ts'

export const PEER_VERSION = 1
/** Socket.IO's path on a daemon's own listener. */
export const PEER_PATH = '/agent-relay/peer'
/** From an open connection to proofs on both sides. */
export const PEER_HANDSHAKE_MS = 5_000
/** A batch of MAX_BATCH_BYTES and its frame; a peer that sends more at once is cut. */
export const PEER_BUFFER_BYTES = 8 * 1024 * 1024

const Nonce = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'a nonce is 32 bytes in base64url')

/** The dialer's first word. `from` and `to` are ids that only members of the organization know. */
export const PeerHello = z.object({
  v: z.int().positive(),
  org: OrgId,
  from: MachineId,
  to: MachineId,
  bootId: z.uuid(),
  nonce: Nonce,
  /** The newest roster that it holds. */
  rosterVersion: z.int().nonnegative(),
  /** By which candidate it dialed; the listener may know better, but both sign the same word. */
  path: CandidateKind,
})
export type PeerHello = z.infer<typeof PeerHello>

/** The listener's answer, which proves it: only then does the dialer prove itself. */
export const PeerWelcome = z.object({
  from: MachineId,
  bootId: z.uuid(),
  nonce: Nonce,
  rosterVersion: z.int().nonnegative(),
  proof: Signature,
})
export type PeerWelcome = z.infer<typeof PeerWelcome>

export const PeerFinish = z.object({ proof: Signature })
export type PeerFinish = z.infer<typeof PeerFinish>

/** The one refusal of a handshake: it says nothing of why. */
export const PEER_REFUSED = 'The handshake was refused.'
export const PeerRefused = z.object({ message: z.literal(PEER_REFUSED) })

type Transcript = {
  hello: PeerHello
  welcome: Omit<PeerWelcome, 'proof'>
  /** The dialer's and the listener's Ed25519 identities, base64url. */
  dialerKey: string
  listenerKey: string
  /** base64url of what the TLS session exports: both ends of one connection have the same, a man in the middle has two. */
  binding: string
}

/** What both sign a hash of, each with its own letter before it: `D` the dialer, `L` the listener. */
export const handshakeText = ({ hello, welcome, dialerKey, listenerKey, binding }: Transcript): string =>
  prefixed([
    'agent-relay/peer/v1',
    String(hello.v),
    hello.org,
    ...[hello.from, dialerKey, hello.bootId],
    ...[hello.to, listenerKey, welcome.bootId],
    ...[hello.nonce, welcome.nonce],
    ...[String(hello.rosterVersion), String(welcome.rosterVersion)],
    hello.path,
    binding,
  ])

/** A link is probed while it is used; the answer has the same number. */
const Probe = z.object({ n: z.int().nonnegative() })
/** The last word of a link; `why` is for the log. */
export const PeerGoodbye = z.object({ why: z.string().max(200) })

/** After the handshake, either way. */
export const peerFrames = {
  PEER_ROUTE: RelayBatch,
  PEER_ACK: ReturnBatch,
  PEER_PING: Probe,
  PEER_PONG: Probe,
  PEER_SIGNAL: z.object({ sealed: Sealed }),
  PEER_GOODBYE: PeerGoodbye,
} as const satisfies Record<string, z.ZodType>
export type PeerFrames = { [E in keyof typeof peerFrames]: z.infer<(typeof peerFrames)[E]> }

/** What one machine tells another by the relay or by a link, sealed so that the control plane learns no addresses of homes. */
export const PeerSignal = z.discriminatedUnion('type', [
  /** How the sender can be reached now. `wants`: the other is asked to say the same and to dial. */
  z.object({
    type: z.literal('candidates'),
    id: z.uuid(),
    bootId: z.uuid(),
    candidates: z.array(Candidate).max(MAX_CANDIDATES),
    wants: z.boolean(),
  }),
  /** Both dial each other's punched candidate from their shared ports, the receiver at once and the sender half a round trip later. */
  z.object({ type: z.literal('punch'), id: z.uuid(), bootId: z.uuid(), candidate: Candidate }),
  z.object({ type: z.literal('ping'), id: z.uuid(), agent: z.string().max(64).optional() }),
  z.object({
    type: z.literal('pong'),
    id: z.uuid(),
    /** Whether its inbox takes messages. */
    inbox: z.enum(['ok', 'full', 'broken']),
    /** Of the agent that was asked for; null when it is not registered there. */
    status: AgentStatus.nullable().optional(),
  }),
])
export type PeerSignal = z.infer<typeof PeerSignal>
