/** A Socket.IO connection, of either end, as the handshake and the link use it: events in order, an end that is told once. */
import type { TLSSocket } from 'node:tls'

/** What was handed over has this long to leave after the end; then the connection is cut. */
export const LINGER_MS = 1_000

/** An event of the other end. `reply` is there when it asks for an answer. */
type Listener = (event: string, frame: unknown, reply?: (answer: unknown) => void) => void

export type Wire = {
  readonly tls: TLSSocket
  emit(event: string, frame: unknown): void
  /** Handed over and not yet taken by the operating system. */
  bufferedBytes(): number
  /** Replaces the listener. An event for which nobody listens yet ends the connection. */
  listen(listener: Listener): void
  /** Replaces who is told, once, that it ended by itself; at once when it has. */
  whenEnded(told: (why: string) => void): void
  /** Sends what was emitted and closes; no event comes any more. */
  end(): void
  /** Whether it has ended: what was emitted may still be on its way out. */
  hasEnded(): boolean
  /** Closes at once. */
  cut(): void
}

/** What both of Socket.IO's kinds of sockets can do. */
export type SocketLike = {
  emit(event: string, frame: unknown): unknown
  onAny(listener: (...args: unknown[]) => void): unknown
  on(event: 'disconnect', listener: (reason: string) => void): unknown
  /** With what is below it. */
  end(): void
  /** Packets that wait for the connection to be writable. */
  waiting(): readonly { data?: unknown }[]
}

/** Socket.IO's reasons, in words. */
const reasons: Record<string, string> = {
  'ping timeout': 'it fell silent',
  'parse error': 'it sent what is no packet',
  'transport error': 'the connection broke',
  'client namespace disconnect': 'the other end closed it',
  'io server disconnect': 'the other end closed it',
}

export function createWire(socket: SocketLike, tls: TLSSocket): Wire {
  let listener: Listener = () => ended('it spoke out of turn')
  let told: ((why: string) => void) | undefined
  let reason: string | undefined
  let isEnded = false
  let linger: NodeJS.Timeout | undefined

  function leave(): void {
    if (tls.destroyed || linger !== undefined) return
    socket.end()
    linger = setTimeout(() => tls.destroy(), LINGER_MS)
    linger.unref()
  }

  function ended(why: string): void {
    if (isEnded) return
    isEnded = true
    reason = why
    leave()
    told?.(why)
  }

  socket.onAny((...all) => {
    if (isEnded) return
    // Socket.IO takes a number for a name, and none for one.
    const [given, ...args] = all
    const last = args.at(-1)
    const reply = typeof last === 'function' ? (last as (answer: unknown) => void) : undefined
    listener(String(given), args[0] === reply ? undefined : args[0], reply)
  })
  socket.on('disconnect', (why) => ended(reasons[why] ?? 'the connection was lost'))
  tls.once('close', () => {
    clearTimeout(linger)
    ended('the connection was lost')
  })

  return {
    tls,
    emit(event, frame) {
      if (!isEnded) socket.emit(event, frame)
    },
    bufferedBytes: () => socket.waiting().reduce((sum, { data }) => sum + sizeOf(data), tls.writableLength),
    listen(next) {
      listener = next
    },
    whenEnded(next) {
      told = next
      if (reason !== undefined) next(reason)
    },
    end() {
      if (isEnded) return
      isEnded = true
      leave()
    },
    hasEnded: () => isEnded,
    cut() {
      isEnded = true
      tls.destroy()
    },
  }
}

/** In characters, which is what JSON of mostly plain text takes. */
const sizeOf = (data: unknown): number => (typeof data === 'string' || Buffer.isBuffer(data) ? data.length : 0)
