/** Requests by HTTP that must come from the linked machine itself: a stolen API key alone opens none of them. */
import { createHash } from 'node:crypto'
import { httpProofText, PROOF_HEADER, PROOF_SKEW_MS, readHttpProof } from '@agent-relay/protocol'
import { isSigned } from '@agent-relay/protocol/crypto'
import { DomainError } from '#lib/errors.ts'

/** Who must have signed: the machine's id as it knows it, and its identity; null when none is registered. */
export type Prover = { machineId: string; publicKey: string | null }

/** Of one machine, remembered at once: ten requests a second for as long as a nonce counts. */
const MAX_NONCES = 6_000
/** Of all machines. */
const MAX_ALL_NONCES = 200_000

type Nonces = {
  /** A proof from before this may have been used on the process that ran then. */
  since: number
  /** By the machine of the key: each nonce with when it ends to count, in that order. */
  used: Map<string, Map<string, number>>
  count: number
}
const symbol = Symbol.for('agent-relay.http-proofs')
const shared = globalThis as { [symbol]?: Nonces }

/**
 * Checks the proof of one request, and uses it up.
 * @throws DomainError IDENTITY_MISMATCH, the same for whatever is wrong with it; UNAUTHENTICATED with `details.now` for a good
 * one that is too old or too new; RATE_LIMITED
 */
export function assertProved(
  request: Request,
  { body, keyOf, by }: { body: Uint8Array; keyOf: string; by: Prover },
  now = Date.now(),
): void {
  const proof = readHttpProof(request.headers.get(PROOF_HEADER) ?? '')
  if (proof === undefined || by.publicKey === null) throw unproved()
  const { pathname, search } = new URL(request.url)
  const text = httpProofText({
    machineId: by.machineId,
    method: request.method,
    path: pathname + search,
    bodyHash: createHash('sha256').update(body).digest('base64url'),
    at: proof.at,
    nonce: proof.nonce,
  })
  if (!isSigned(by.publicKey, text, proof.signature)) throw unproved()
  shared[symbol] ??= { since: performance.timeOrigin, used: new Map(), count: 0 }
  const nonces = shared[symbol]
  // A clock that was set back must not refuse everybody until it has caught up.
  nonces.since = Math.min(nonces.since, now)
  if (Math.abs(now - proof.at) > PROOF_SKEW_MS || proof.at < nonces.since)
    throw new DomainError(
      'UNAUTHENTICATED',
      `The proof of this request is of another time than now by the control plane's clock (${new Date(now).toISOString()}): sign it anew, by that time.`,
      { details: { now } },
    )
  use(nonces, keyOf, proof.nonce, now)
}

function use(nonces: Nonces, machineId: string, nonce: string, now: number): void {
  forgetOld(nonces, machineId, now)
  const own = nonces.used.get(machineId) ?? new Map<string, number>()
  if (own.has(nonce)) throw unproved()
  if (nonces.count >= MAX_ALL_NONCES) for (const id of [...nonces.used.keys()]) forgetOld(nonces, id, now)
  if (own.size >= MAX_NONCES || nonces.count >= MAX_ALL_NONCES)
    throw new DomainError(
      'RATE_LIMITED',
      'Too many requests of this machine in ten minutes. Wait a moment, or use the socket.',
    )
  // A proof counts from PROOF_SKEW_MS before its time until as long after it.
  own.set(nonce, now + 2 * PROOF_SKEW_MS)
  nonces.used.set(machineId, own)
  nonces.count++
}

function forgetOld(nonces: Nonces, machineId: string, now: number): void {
  const own = nonces.used.get(machineId)
  for (const [nonce, endsAt] of own ?? []) {
    if (endsAt > now) break
    own?.delete(nonce)
    nonces.count--
  }
  if (own?.size === 0) nonces.used.delete(machineId)
}

const unproved = (): DomainError =>
  new DomainError(
    'IDENTITY_MISMATCH',
    'This request is not proved by the identity of its machine: it needs the header Agent-Relay-Proof, which the agent-relay that is served at /agent-relay.tgz sends by itself. A key is for one machine.',
  )
