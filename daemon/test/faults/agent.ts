/**
 * A scripted agent over the real local socket: holds its name through every restart of its daemon, sends, marks what it
 * gets, and writes down all that it was told. The oracle reads what it wrote.
 */
import type { Message } from '@agent-relay/protocol'
import { type Connection, openConnection } from '../../src/client/connection.ts'
import type { RelayError } from '../../src/errors.ts'
import type { Bell } from './bell.ts'
import type { Machine } from './machine.ts'

/** `unknown`: the connection ended before the answer, so it may arrive or not. */
type Fate = 'asked' | 'queued' | 'refused' | 'unknown'

export type Attempt = {
  /** Sender and recipient. */
  route: string
  /** Counts the attempts of a route, in their order. */
  k: number
  fate: Fate
  /** The message's id, once queued. */
  id: string | undefined
  /** ms on this process's clock: asked, and first handed to the recipient. */
  askedAt: number
  arrivedAt: number | undefined
}

export type HandOver = { id: string; from: string; body: string; isRepeat: boolean }

export type Agent = {
  readonly name: string
  readonly machine: Machine
  readonly attempts: Attempt[]
  readonly handedOver: HandOver[]
  /** Errors that no fault explains. */
  readonly troubles: string[]
  isHere(): boolean
  /** Asks the daemon to send; settles with its answer, whatever it is. Does nothing while the daemon is away. */
  send(to: Agent, sizeBytes?: number): Promise<Attempt | undefined>
  close(): void
}

/** What all agents of a scene write down together. */
export type Ledger = {
  /** Rings at everything that is written down. */
  bell: Bell
  /** By what the message's body begins with. */
  attempts: Map<string, Attempt>
}

type Options = {
  ledger: Ledger
  /** Where it finds the daemon, when not at its own socket. */
  socket?: string
}

/** Registers whenever the machine's daemon answers. */
export function makeAgent(machine: Machine, name: string, { ledger, socket = machine.socket }: Options): Agent {
  const { bell } = ledger
  const attempts: Attempt[] = []
  const counts = new Map<string, number>()
  const handedOver: HandOver[] = []
  const troubles: string[] = []
  let current: Connection | undefined
  let toMark: string[] = []
  let isClosed = false

  /** A daemon that was killed ends what was asked of it; anything else is a defect, here or there. */
  function note(error: unknown): void {
    if ((error as RelayError).code !== 'DAEMON_DOWN') troubles.push(`${name}: ${error}`)
  }

  async function join(): Promise<void> {
    const connection = await openConnection({
      socket,
      client: 'fault-test/1',
      onPush(push) {
        if (push.type === 'deliver') take(connection, push.message, push.redelivered)
      },
    })
    if (isClosed) return connection.close()
    connection.closed.then(() => {
      if (current === connection) current = undefined
      bell.ring()
    })
    await connection.request('register', { name })
    await connection.request('subscribe', {})
    current = connection
    bell.ring()
  }

  function take(connection: Connection, message: Message, isRepeat: boolean): void {
    handedOver.push({ id: message.id, from: message.from, body: message.body, isRepeat })
    const attempt = ledger.attempts.get(keyOf(message.body))
    if (attempt !== undefined) attempt.arrivedAt ??= performance.now()
    bell.ring()
    toMark.push(message.id)
    if (toMark.length === 1) queueMicrotask(() => mark(connection))
  }

  /** What came in one tick, by one request for each thousand. */
  function mark(connection: Connection): void {
    while (toMark.length > 0) connection.request('mark', { ids: toMark.splice(0, 1000), state: 'seen' }).catch(note)
  }

  machine.onReady(() => {
    toMark = []
    join().catch(note)
  })

  return {
    name,
    machine,
    attempts,
    handedOver,
    troubles,
    isHere: () => current !== undefined,
    async send(to, sizeBytes = 0) {
      if (current === undefined) return undefined
      const route = `${name}>${to.name}`
      const k = (counts.get(route) ?? 0) + 1
      counts.set(route, k)
      const askedAt = performance.now()
      const attempt: Attempt = { route, k, fate: 'asked', id: undefined, askedAt, arrivedAt: undefined }
      attempts.push(attempt)
      const key = `${route} ${k}`
      ledger.attempts.set(key, attempt)
      try {
        const { id } = await current.request('send', { to: to.name, body: `${key} ${'x'.repeat(sizeBytes)}` })
        attempt.id = id
        attempt.fate = 'queued'
      } catch (error) {
        attempt.fate = (error as RelayError).code === 'DAEMON_DOWN' ? 'unknown' : 'refused'
        if (!REFUSALS.has((error as RelayError).code)) note(error)
      }
      bell.ring()
      return attempt
    },
    close() {
      isClosed = true
      current?.close()
    },
  }
}

/** A name of the other machine is unknown until both have connected once; an outbox may be full while nobody takes from it. */
const REFUSALS = new Set(['UNKNOWN_ADDRESS', 'OUTBOX_FULL'])

/** Route and number, of a body. */
export const keyOf = (body: string): string => body.split(' ', 2).join(' ')
