/** Calls to the control plane's HTTP API, with every failure as one sentence. */
import { createHash, randomBytes } from 'node:crypto'
import { HttpError, httpProofText, PROOF_HEADER, writeHttpProof } from '@agent-relay/protocol'
import type { z } from 'zod'
import { RelayError } from '../errors.ts'
import { unreachable } from './trouble.ts'

/** Long enough for a control plane that wakes its database, short enough for a person who waits. */
const ANSWER_MS = 15_000

export type Call = {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: unknown
  /** A machine key; goes in a header, never in the URL. */
  key?: string | undefined
  /** Proves that this machine asks, and not only somebody with its key. */
  prover?: Prover | undefined
  signal?: AbortSignal | undefined
}

export type Prover = {
  /** Empty when it is not known yet. */
  machineId: string
  identity: { sign(text: string): string }
}

/**
 * The status and JSON body of an answer, whatever its status.
 * Throws UNAVAILABLE when there is none, and the reason of `signal` when that ended the call.
 */
export async function callControl(url: string, call: Call): Promise<{ status: number; body: unknown }> {
  const answer = await callOnce(url, call, Date.now())
  if (call.prover === undefined || answer.status !== 401) return answer
  // This computer's clock is wrong, or the control plane has just started: once more, by its time.
  const now = HttpError.safeParse(answer.body).data?.error.details?.now
  return typeof now === 'number' ? callOnce(url, call, now) : answer
}

async function callOnce(url: string, call: Call, at: number): Promise<{ status: number; body: unknown }> {
  const { method, path, key, prover, signal } = call
  const body = call.body === undefined ? undefined : JSON.stringify(call.body)
  let response: Response
  let text: string
  try {
    response = await fetch(url + path, {
      method,
      redirect: 'manual',
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(prover !== undefined && { [PROOF_HEADER]: proofOf(prover, { method, path, body: body ?? '', at }) }),
      },
      ...(body !== undefined && { body }),
      signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(signal ? [signal] : [])]),
    })
    text = await response.text()
  } catch (error) {
    signal?.throwIfAborted()
    throw new RelayError('UNAVAILABLE', unreachable(url, error), { cause: error })
  }
  const elsewhere = response.headers.get('location')
  if (response.status >= 300 && response.status < 400 && elsewhere !== null) throw redirected(url, elsewhere)
  try {
    return { status: response.status, body: JSON.parse(text) }
  } catch {
    throw new RelayError(
      'UNAVAILABLE',
      `${url} answered ${response.status} without JSON, so it is not an Agent Relay control plane: check the address.`,
    )
  }
}

function proofOf(
  { machineId, identity }: Prover,
  request: { method: string; path: string; body: string; at: number },
): string {
  const { method, path, body, at } = request
  const nonce = randomBytes(16).toString('base64url')
  const bodyHash = createHash('sha256').update(body).digest('base64url')
  const signature = identity.sign(httpProofText({ machineId, method, path, bodyHash, at: Math.floor(at), nonce }))
  return writeHttpProof({ at: Math.floor(at), nonce, signature })
}

/** The value of an answer. Throws the server's own error, or says that the answer is none of ours. */
export function readAnswer<T>(
  url: string,
  { status, body }: { status: number; body: unknown },
  schema: z.ZodType<T>,
): T {
  if (status >= 200 && status < 300) {
    const value = schema.safeParse(body)
    if (value.success) return value.data
  }
  const failure = HttpError.safeParse(body)
  if (failure.success) {
    const { code, message, details } = failure.data.error
    throw new RelayError(code, message, { details })
  }
  throw new RelayError(
    'UNAVAILABLE',
    `${url} answered ${status} in a form that this version does not understand: is it an Agent Relay control plane? Its own daemon runs by: npx ${url}/agent-relay.tgz`,
  )
}

function redirected(url: string, location: string): RelayError {
  const target = URL.canParse(location, url) ? new URL(location, url).origin : location.slice(0, 120)
  return new RelayError(
    'UNAVAILABLE',
    target === url
      ? `${url} redirects the API elsewhere, so it is not an Agent Relay control plane: check the address.`
      : `${url} moved to ${target}; use: agent-relay link --url ${target}`,
  )
}
