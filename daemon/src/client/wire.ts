/** The client's end of the local socket: requests with answers, pushes to whoever listens. No schema library: cold starts count. */
import { createConnection, type Socket } from 'node:net'
import type { LocalRequest, LocalRequestType, LocalResults, ServerFrame } from '@agent-relay/protocol/local'
import { fromWire, RelayError } from '../errors.ts'

/** The version of protocol/local that this client speaks; a test holds it to LOCAL_VERSION. */
export const CLIENT_LOCAL_VERSION = 1

type Push = Exclude<ServerFrame, { type: 'welcome' | 'ok' | 'error' }>
type Input<T extends LocalRequestType> = Omit<Extract<LocalRequest, { type: T }>, 'type' | 'id'>

export type Wire = {
  /** The agent as which the daemon knows this connection. */
  readonly agent: string | null
  /** Version of the daemon. */
  readonly daemon: string
  /** Rejects with the daemon's error, or DAEMON_DOWN when the connection ends before the answer. */
  request<T extends LocalRequestType>(type: T, input: Input<T>): Promise<LocalResults[T]>
  /** Resolves when everything given to `request` before went to the operating system. */
  close(): void
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>
}

type Options = {
  socket: string
  home: string
  /** Program and version, such as `cli/0.1.0`. */
  client: string
  agent?: { name: string; token: string } | undefined
  onPush?: (push: Push) => void
}

/** Connects and says hello. Rejects with DAEMON_DOWN when nobody listens, UNAUTHENTICATED when the proof is none. */
export function openWire(options: Options): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(options.socket)
    const pending = new Map<number, { resolve: (result: never) => void; reject: (error: RelayError) => void }>()
    let lastId = 0
    let out = ''
    let isOpen = false
    let greeted: { agent: string | null; daemon: string } | undefined
    let ended: () => void = () => undefined
    const closed = new Promise<void>((done) => {
      ended = done
    })

    const flush = (): void => {
      if (out !== '' && !socket.destroyed) socket.write(out)
      out = ''
    }
    const write = (frame: object): void => {
      if (out === '') process.nextTick(flush)
      out += `${JSON.stringify(frame)}\n`
    }
    const end = (error: RelayError): void => {
      isOpen = false
      if (greeted === undefined) reject(error)
      for (const waiter of pending.values()) waiter.reject(error)
      pending.clear()
      ended()
    }

    const wire: Wire = {
      get agent() {
        return greeted?.agent ?? null
      },
      get daemon() {
        return greeted?.daemon ?? ''
      },
      closed,
      request(type, input) {
        return new Promise((settle, refuse) => {
          if (!isOpen) {
            refuse(down(options.home))
            return
          }
          const id = ++lastId
          pending.set(id, { resolve: settle as (result: never) => void, reject: refuse })
          write({ type, id, ...input })
        })
      },
      close() {
        flush()
        socket.end()
      },
    }

    const take = (frame: ServerFrame): void => {
      switch (frame.type) {
        case 'welcome':
          greeted = { agent: frame.agent, daemon: frame.daemon }
          isOpen = true
          resolve(wire)
          return
        case 'ok':
          pending.get(frame.id)?.resolve(frame.result as never)
          pending.delete(frame.id)
          return
        case 'error': {
          const error = fromWire(frame)
          if (frame.id === null) {
            end(error)
            return
          }
          pending.get(frame.id)?.reject(error)
          pending.delete(frame.id)
          return
        }
        default:
          options.onPush?.(frame)
      }
    }

    write({
      type: 'hello',
      v: CLIENT_LOCAL_VERSION,
      client: options.client,
      ...(options.agent && { agent: options.agent }),
    })
    readLines(socket, (line) => take(JSON.parse(line) as ServerFrame))
    socket.on('error', (error: NodeJS.ErrnoException) => end(explain(options, error)))
    socket.on('close', () => end(down(options.home)))
  })
}

function readLines(socket: Socket, take: (line: string) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    const text = rest === '' ? chunk : rest + chunk
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      take(text.slice(start, end))
      start = end + 1
    }
    rest = text.slice(start)
  })
}

function explain(options: Options, error: NodeJS.ErrnoException): RelayError {
  if (error.code === 'EACCES' || error.code === 'EPERM')
    return new RelayError(
      'FORBIDDEN',
      `${options.socket} belongs to another user: run this as the user who ran agent-relay up.`,
      {
        cause: error,
      },
    )
  return down(options.home, error)
}

const down = (home: string, cause?: unknown): RelayError =>
  new RelayError('DAEMON_DOWN', `No daemon runs on ${home}: start it with: agent-relay up`, { cause })
