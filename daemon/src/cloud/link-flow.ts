/** How a machine becomes part of an organization: RFC 8628 with a person in a browser, or a key that somebody made for it. */
import {
  Linked,
  LinkPollFailure,
  type LinkStartRequest,
  LinkStartResponse,
  RegisterResponse,
} from '@agent-relay/protocol'
import { z } from 'zod'
import { RelayError } from '../errors.ts'
import { callControl, type Prover, readAnswer } from './http.ts'

export type MachineFacts = Omit<LinkStartRequest, 'org'>

/** Asks for a code that a person approves in the browser. `org` is the slug to propose there. */
export async function startLink(
  url: string,
  facts: MachineFacts & { org?: string | undefined },
  signal?: AbortSignal,
): Promise<LinkStartResponse> {
  return readAnswer(
    url,
    await callControl(url, { method: 'POST', path: '/api/link/start', body: facts, signal }),
    LinkStartResponse,
  )
}

type Waiting = {
  signal?: AbortSignal | undefined
  /** Resolves after `ms`, or rejects when the signal ends it. */
  sleep(ms: number): Promise<void>
  /** Monotonic ms. */
  now(): number
  /** The control plane cannot be reached for the moment; told once per outage. */
  onTrouble?(error: RelayError): void
}

/**
 * Polls until a person decided. Throws FORBIDDEN when they said no (the sentence is the server's: it may be a plan's limit),
 * EXPIRED when nobody said anything in time. A poll that fails on the way is tried again: a laptop's network blinks.
 */
export async function awaitApproval(url: string, start: LinkStartResponse, waiting: Waiting): Promise<Linked> {
  const endsAt = waiting.now() + start.expires_in * 1000
  let intervalMs = start.interval * 1000
  let isInTrouble = false
  for (;;) {
    await waiting.sleep(intervalMs)
    if (waiting.now() >= endsAt) throw expired()
    const call = { method: 'POST', path: '/api/link/poll', body: { device_code: start.device_code } } as const
    try {
      const answer = await callControl(url, { ...call, signal: waiting.signal })
      isInTrouble = false
      const failure = LinkPollFailure.safeParse(answer.body)
      if (!failure.success) return readAnswer(url, answer, Linked)
      if (failure.data.error === 'expired_token') throw expired()
      if (failure.data.error === 'access_denied')
        throw new RelayError('FORBIDDEN', `${failure.data.error_description} To ask again, run: agent-relay link`)
      // RFC 8628 §3.5: five seconds longer for this and every later poll.
      if (failure.data.error === 'slow_down') intervalMs += 5000
    } catch (error) {
      const isPassing = error instanceof RelayError && (error.code === 'UNAVAILABLE' || error.code === 'RATE_LIMITED')
      if (!isPassing) throw error
      if (!isInTrouble) waiting.onTrouble?.(error)
      isInTrouble = true
    }
  }
}

/**
 * Links with a key made beforehand: binds this machine's identity to it, or checks that it is bound to this one. `identity` is
 * that of `facts.publicKey`.
 */
export async function registerWithKey(
  url: string,
  { key, identity }: { key: string; identity: Prover['identity'] },
  facts: MachineFacts,
  signal?: AbortSignal,
): Promise<RegisterResponse> {
  return readAnswer(
    url,
    await callControl(url, {
      ...{ method: 'POST', path: '/api/daemons/register', body: facts, key, signal },
      prover: { machineId: '', identity },
    }),
    RegisterResponse,
  )
}

/** Ends this machine's membership at the control plane. A key that is dead already is as good. */
export async function unlinkRemote(
  url: string,
  { key, ...prover }: Prover & { key: string },
  signal?: AbortSignal,
): Promise<void> {
  const answer = await callControl(url, { method: 'DELETE', path: '/api/daemons/self', key, prover, signal })
  try {
    readAnswer(url, answer, z.unknown())
  } catch (error) {
    if (error instanceof RelayError && (error.code === 'KEY_REVOKED' || error.code === 'KEY_INVALID')) return
    throw error
  }
}

const expired = (): RelayError =>
  new RelayError('EXPIRED', 'Nobody approved this machine before the code ended. For a new code, run: agent-relay link')
