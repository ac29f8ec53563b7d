/** `agent-relay ping`: one question to another machine's daemon by the way that messages take now, and the answers of this one. */
import { randomUUID } from 'node:crypto'
import { type AgentStatus, nameKey, type PeerSignal } from '@agent-relay/protocol'
import { INBOX_MESSAGES } from '../core/limits.ts'
import type { State } from '../core/state.ts'
import { RelayError } from '../errors.ts'
import type { PeerView } from '../peers/transport.ts'
import type { PeerPong } from './peering-types.ts'

const ANSWER_MS = 5_000
/** A person's `ping` asks once a second. */
const ANSWERS_A_SECOND = 10

type Ping = Extract<PeerSignal, { type: 'ping' }>
type Pong = Extract<PeerSignal, { type: 'pong' }>

/** By which way a signal went or came: a link's id, or the relay. */
export type Way = { link: string } | 'relay'

export type Probes = {
  /** `view`: the way that is taken. Rejects with what `send` rejects with, or TIMEOUT. */
  ask(machine: string, agent: string | undefined, view: PeerView | undefined): Promise<PeerPong>
  asked(machine: string, ping: Ping, way: Way): void
  answered(machine: string, pong: Pong): void
  stop(): void
}

type Options = {
  state: () => State
  /** Whether messages can be written down here. */
  isBroken: () => boolean
  /** Rejects when it does not get on its way. */
  send: (machine: string, signal: PeerSignal, way: Way | undefined) => Promise<void>
}

export function createProbes({ state, isBroken, send }: Options): Probes {
  const waiting = new Map<string, { machine: string; settle(pong: Pong | RelayError): void }>()
  /** By machine, how many were answered in this second. */
  const answers = new Map<string, { second: number; count: number }>()

  function statusOf(agent: string | undefined): { status?: AgentStatus | null; inbox: Pong['inbox'] } {
    if (isBroken()) return { inbox: 'broken' }
    if (agent === undefined) return { inbox: 'ok' }
    const known = state().agents.get(nameKey(agent))
    const isFull = (known?.waiting.size ?? 0) >= INBOX_MESSAGES
    return { inbox: isFull ? 'full' : 'ok', status: known?.status ?? null }
  }

  function mayAnswer(machine: string): boolean {
    const second = Math.floor(performance.now() / 1_000)
    const known = answers.get(machine)
    const count = known?.second === second ? known.count : 0
    answers.set(machine, { second, count: count + 1 })
    return count < ANSWERS_A_SECOND
  }

  return {
    async ask(machine, agent, view) {
      const id = randomUUID()
      const at = performance.now()
      const isDirect = view?.kind != null
      const answer = new Promise<Pong>((resolve, reject) => {
        const settle = (pong: Pong | RelayError): void => {
          clearTimeout(timer)
          waiting.delete(id)
          if (pong instanceof RelayError) reject(pong)
          else resolve(pong)
        }
        const timer = setTimeout(() => settle(late(machine)), ANSWER_MS)
        waiting.set(id, { machine, settle })
      })
      // Whatever keeps it from leaving is the answer.
      send(machine, { type: 'ping', id, ...(agent !== undefined && { agent }) }, undefined).catch((error) =>
        waiting.get(id)?.settle(error instanceof RelayError ? error : new RelayError('UNAVAILABLE', String(error))),
      )
      const { inbox, status = null } = await answer
      const tookMs = performance.now() - at
      return isDirect
        ? { via: 'direct', kind: view.kind, remote: view.remote, tookMs, inbox, status }
        : { via: 'relay', kind: null, remote: null, tookMs, inbox, status }
    },
    asked(machine, { id, agent }, way) {
      // What does not get back is asked again by whoever asked.
      if (mayAnswer(machine)) send(machine, { type: 'pong', id, ...statusOf(agent) }, way).catch(() => undefined)
    },
    answered(machine, pong) {
      const asked = waiting.get(pong.id)
      if (asked?.machine === machine) asked.settle(pong)
    },
    stop() {
      for (const { settle } of waiting.values()) settle(new RelayError('SHUTTING_DOWN', 'The daemon is stopping.'))
    },
  }
}

const late = (machine: string): RelayError =>
  new RelayError('TIMEOUT', `Machine ${machine} did not answer within ${ANSWER_MS / 1_000} s: is its daemon running?`)
