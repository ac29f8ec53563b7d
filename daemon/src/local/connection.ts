/** One client of the local socket: lines in, one write a tick out, both bounded. */
import type { Socket } from 'node:net'
import { codeIn } from '@agent-relay/protocol'
import { MAX_LINE_BYTES, OLDEST_LOCAL_VERSION } from '@agent-relay/protocol/local'
import { RelayError, toWire } from '../errors.ts'
import { point } from '../points.ts'

/** A client that does not read: beyond this it is cut off, and what it had not marked is delivered to its next session. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024

export type Connection = {
  /** Sends one frame, given as JSON text, with everything else of this tick. */
  write(json: string): void
  ok(id: number, result: unknown): void
  fail(id: number | null, error: unknown): void
  /** Closes after what was written is out. */
  end(): void
  readonly isOpen: boolean
  /** Of the local socket, as agreed by hello and welcome. */
  version: number
}

type Handlers = { line(text: string): void; closed(): void; cut(reason: string): void }

export function createConnection(socket: Socket, handlers: Handlers): Connection {
  let out = ''
  let isScheduled = false
  let isOpen = true
  let rest = ''

  const flush = (): void => {
    isScheduled = false
    if (out === '' || socket.destroyed) return
    socket.write(out)
    point('local.written')
    out = ''
    if (socket.writableLength <= MAX_UNREAD_BYTES) return
    handlers.cut(`a client did not read ${socket.writableLength} bytes`)
    socket.destroy()
  }
  const connection: Connection = {
    write(json) {
      if (!isOpen) return
      out += `${json}\n`
      if (isScheduled) return
      isScheduled = true
      // After the promises and callbacks of this event, so that a turn's answers and pushes are one write.
      process.nextTick(flush)
    },
    ok: (id, result) => connection.write(`{"type":"ok","id":${id},"result":${JSON.stringify(result)}}`),
    fail(id, error) {
      const { code, message, details } = toWire(error)
      connection.write(JSON.stringify({ type: 'error', id, code: codeIn(connection.version, code), message, details }))
    },
    end() {
      flush()
      isOpen = false
      socket.end()
    },
    get isOpen() {
      return isOpen
    },
    version: OLDEST_LOCAL_VERSION,
  }

  const tooLong = (): void => {
    const message = `A line longer than ${MAX_LINE_BYTES} bytes came: send at most that, a message of 256 KiB fits.`
    connection.fail(null, new RelayError('TOO_LARGE', message, { details: { limitBytes: MAX_LINE_BYTES } }))
    connection.end()
    rest = ''
  }
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    if (!isOpen) return
    let start = 0
    // Only what is new is looked through: a long line that dribbles in would be read again from its beginning each time.
    for (let end = chunk.indexOf('\n'); end >= 0 && isOpen; end = chunk.indexOf('\n', start)) {
      const line = rest === '' ? chunk.slice(start, end) : rest + chunk.slice(start, end)
      rest = ''
      start = end + 1
      if (line.length > MAX_LINE_BYTES) return tooLong()
      if (line !== '') handlers.line(line)
    }
    rest += chunk.slice(start)
    if (rest.length > MAX_LINE_BYTES) tooLong()
  })
  // A client that is killed is an end like any other.
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    isOpen = false
    handlers.closed()
  })
  return connection
}
