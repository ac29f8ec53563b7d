/**
 * One connection to the control plane from dialing to its end: handshake, heartbeat, requests that always settle.
 * It never reconnects; whoever opened it decides what comes next.
 */
import {
  type Answer,
  Challenge,
  type ControlEvents,
  controlFrames,
  controlProofText,
  controlVersions,
  HEARTBEAT_DEAD_MS,
  HEARTBEAT_MS,
  isKnownIn,
  MACHINES_NAMESPACE,
  type MachineEvents,
  type Proof,
  type SealKey,
  SOCKET_PATH,
  type Welcome,
  WireError,
} from '@agent-relay/protocol'
import { io, type Socket } from 'socket.io-client'
import { fromWire, RelayError } from '../errors.ts'
import type { Identity } from '../home/identity.ts'
import type { Clock } from './clock.ts'
import { type RosterReader, SIGNED_SINCE } from './roster-trust.ts'
import { nonsense, unreachable } from './trouble.ts'

/** From dialing to `welcome`, TLS and a slow phone network included. */
const OPEN_MS = 15_000
/** Shorter than HEARTBEAT_DEAD_MS, so that a request ends before the connection is given up. */
const ANSWER_MS = 20_000
/** Three round trips across the world, each with a lost packet. */
const CHECK_MS = 3_000

/** Socket.IO's packet type of an event. */
const EVENT = 2

/** So many kinds of unknown events are told of; a server that makes up names cannot fill the log. */
const MAX_UNKNOWN = 16

type Pushes = Pick<ControlEvents, 'roster' | 'deliver' | 'returned' | 'signal'>

export type SessionOptions = {
  url: string
  key: string
  identity: Identity
  version: string
  bootId: string
  /** Of the control protocol, to ask for; what the server agreed to is the same or nothing. */
  speaks: number
  clock: Clock
  /** Says which welcome is believed. */
  trust: RosterReader
  /** The keys to which this machine's messages are sealed, newest first. */
  seals(): SealKey[]
  onUp(welcome: Welcome): void
  /** The value of a heartbeat's answer; not yet checked. */
  onEcho(value: unknown): void
  /** Called once, also when the session never came up. */
  onEnd(error: RelayError): void
  /** Frames as they came; not yet checked. */
  onPush<E extends keyof Pushes>(event: E, frame: unknown): void
  /** An event that this version does not know; told once each. */
  onUnknown(event: string): void
}

type Requests = Omit<MachineEvents, 'heartbeat'>
type Input<E extends keyof MachineEvents> = Parameters<MachineEvents[E]>[0]

export type Session = {
  /** Emits and gives the answer's value, unchecked. Rejects with NOT_CONNECTED, TIMEOUT or the server's own error. */
  request<E extends keyof Requests>(event: E, input: Input<E>): Promise<unknown>
  latencyMs(): number | null
  /** Asks for an echo now, and ends without one within CHECK_MS: the network may be another one. */
  check(): void
  end(error: RelayError): void
}

export function openSession(options: SessionOptions): Session {
  const { url, clock } = options
  const socket: Socket<ControlEvents, MachineEvents> = io(`${url}${MACHINES_NAMESPACE}`, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    autoConnect: false,
    // Ours comes first, because it can say what happened.
    timeout: 2 * OPEN_MS,
    auth: { v: options.speaks, key: options.key, bootId: options.bootId, version: options.version },
  })
  // Before the socket's own listener: an event without even a name would throw within the library, where nobody catches it.
  socket.io.on('packet', (packet) => {
    if (packet.type === EVENT && packet.data === undefined) packet.data = ['']
  })
  const waiting = new Set<(error: RelayError) => void>()
  const unknown = new Set<string>()
  let isEnded = false
  let isUp = false
  let lastWord: RelayError | undefined
  let latency: number | null = null
  let lastEchoAt = clock.now()
  let stopTimer = clock.after(OPEN_MS, () =>
    end(
      new RelayError(
        'TIMEOUT',
        `${url} took the connection but did not greet this machine within ${OPEN_MS / 1000} s: is it an Agent Relay control plane, and healthy?`,
      ),
    ),
  )

  function end(error: RelayError): void {
    if (isEnded) return
    isEnded = true
    stopTimer()
    socket.off()
    socket.offAny()
    socket.disconnect()
    for (const reject of [...waiting]) reject(error)
    options.onEnd(error)
  }

  function request<E extends keyof MachineEvents>(event: E, input: Input<E>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (isEnded || !isUp) return reject(lastWord ?? new RelayError('NOT_CONNECTED', `Not connected to ${url}.`))
      if (!isKnownIn(controlVersions, options.speaks, event)) return reject(notKnown(url, event))
      const fail = (error: RelayError): void => {
        cancel()
        waiting.delete(fail)
        reject(error)
      }
      const cancel = clock.after(ANSWER_MS, () =>
        fail(new RelayError('TIMEOUT', `${url} did not answer ${event} within ${ANSWER_MS / 1000} s.`)),
      )
      waiting.add(fail)
      const onAnswer = (answer: Answer<unknown>): void => {
        if (!waiting.has(fail)) return
        const error = failureOf(answer, url, event)
        if (error !== undefined) {
          fail(error)
          return
        }
        cancel()
        waiting.delete(fail)
        resolve((answer as { value: unknown }).value)
      }
      // Each event's own reply type is narrower than what an unknown server may send.
      ;(socket as Socket).emit(event, input, onAnswer)
    })
  }

  function check(): void {
    if (!isUp || isEnded) return
    const before = lastEchoAt
    stopTimer()
    beat()
    clock.after(CHECK_MS, () => {
      if (lastEchoAt === before && !isEnded)
        end(
          new RelayError(
            'TIMEOUT',
            `${url} did not answer from the network that this machine is in now; reconnecting.`,
          ),
        )
    })
  }

  function beat(): void {
    const at = clock.now()
    if (at - lastEchoAt >= HEARTBEAT_DEAD_MS) {
      end(
        new RelayError(
          'TIMEOUT',
          `${url} has not answered a heartbeat for ${HEARTBEAT_DEAD_MS / 1000} s; reconnecting.`,
        ),
      )
      return
    }
    request('heartbeat', { at }).then(
      (value) => {
        lastEchoAt = clock.now()
        latency = lastEchoAt - at
        options.onEcho(value)
      },
      () => undefined, // A missed echo counts by its absence.
    )
    stopTimer = clock.after(Math.min(HEARTBEAT_MS, HEARTBEAT_DEAD_MS - (at - lastEchoAt)), beat)
  }

  /** What cannot be believed, or not be kept, ends the connection and gives undefined. */
  function believed<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      end(error instanceof RelayError ? error : nonsense(url, 'welcome'))
      return undefined
    }
  }

  function proofOf(challenge: Challenge): Proof {
    options.trust.mustBeForUs(challenge)
    const { publicKey, sign } = options.identity
    const proof = { signature: sign(controlProofText(challenge, options.bootId)), publicKey }
    if (options.speaks < SIGNED_SINCE) return proof
    return { ...proof, seals: options.seals(), rosterVersion: options.trust.newest() }
  }

  socket.on('challenge', (frame, reply) => {
    const challenge = Challenge.safeParse(frame)
    if (!challenge.success || typeof reply !== 'function') return end(nonsense(url, 'challenge'))
    const proof = believed(() => proofOf(challenge.data))
    if (proof !== undefined) reply(proof)
  })
  socket.on('welcome', (frame) => {
    if (isUp) return end(nonsense(url, 'welcome'))
    const welcome = believed(() => options.trust.welcome(frame, options.speaks))
    if (welcome === undefined) return
    stopTimer()
    isUp = true
    lastEchoAt = clock.now()
    options.onUp(welcome)
    if (!isEnded) beat()
  })
  socket.on('roster', (frame) => options.onPush('roster', frame))
  socket.on('deliver', (frame) => options.onPush('deliver', frame))
  socket.on('returned', (frame) => options.onPush('returned', frame))
  socket.on('signal', (frame) => options.onPush('signal', frame))
  socket.onAny((given: unknown, ...args: unknown[]) => {
    const event = String(given)
    if (Object.hasOwn(controlFrames, event)) return
    const reply = args.at(-1)
    if (typeof reply === 'function') reply({ ok: false, error: unknownFrame(event) })
    else if (unknown.size < MAX_UNKNOWN && !unknown.has(event)) {
      unknown.add(event)
      options.onUnknown(event.slice(0, 40))
    }
  })
  socket.on('goodbye', (frame) => {
    const error = WireError.safeParse(frame)
    lastWord = error.success ? fromWire(error.data) : nonsense(url, 'goodbye')
    end(lastWord)
  })
  socket.on('disconnect', () =>
    end(lastWord ?? new RelayError('NOT_CONNECTED', `The connection to ${url} was lost; reconnecting.`)),
  )
  socket.on('connect_error', (error) => {
    // A refusal by the namespace itself carries our own error; anything else is the network's.
    const refusal = WireError.safeParse((error as { data?: unknown }).data)
    end(
      refusal.success
        ? fromWire(refusal.data)
        : new RelayError('UNAVAILABLE', unreachable(url, error), { cause: error }),
    )
  })

  socket.connect()
  return { request, latencyMs: () => (isUp ? latency : null), check, end }
}

const notKnown = (url: string, event: string): RelayError =>
  new RelayError(
    'VERSION_UNSUPPORTED',
    `${url} is older than this agent-relay and knows no ${event}: it must be updated first, or use the agent-relay that it serves: npx ${url}/agent-relay.tgz`,
  )

const unknownFrame = (event: string): WireError => ({
  code: 'UNKNOWN_FRAME',
  message: `This daemon knows no frame ${JSON.stringify(event.slice(0, 40))}: it is older than the control plane.`,
})

function failureOf(answer: Answer<unknown>, url: string, event: string): RelayError | undefined {
  if (answer?.ok === true) return undefined
  const error = WireError.safeParse(answer?.error)
  return error.success ? fromWire(error.data) : nonsense(url, event)
}
