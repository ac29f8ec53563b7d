/** One connection to the daemon of a home: requests with their answers, and what the daemon pushes. No schema library at run time. */
import { createConnection, type Socket } from 'node:net'
import type { Deliver, LocalRequest, LocalResults, RunExit, RunOutput, ServerFrame } from '@agent-relay/protocol/local'
import { isKnownIn, LOCAL_VERSION, localVersions, OLDEST_LOCAL_VERSION } from '@agent-relay/protocol/versions'
import type { z } from 'zod'
import { fromWire, RelayError } from '../errors.ts'
import { checkSocketFolder } from '../home/files.ts'

type RequestType = LocalRequest['type']
type Fields<T extends RequestType> = Omit<Extract<LocalRequest, { type: T }>, 'type' | 'id'>
export type Push = z.infer<typeof Deliver> | z.infer<typeof RunOutput> | z.infer<typeof RunExit>

export type ConnectionOptions = {
  /** The path of the daemon's socket: homePaths(home).socket. */
  socket: string
  /** Program and version, such as `cli/0.1.0`. */
  client: string
  /** Speaks as this agent; without it as the person. */
  agent?: { name: string; token: string } | undefined
  onPush?: (push: Push) => void
}

export type Connection = {
  /** The name under which the daemon took this connection; null for the person. */
  readonly agent: string | null
  /** Of the local socket, as agreed: LOCAL_VERSION, or the one before with an older daemon. */
  readonly version: number
  /** Rejects with the daemon's own error, or DAEMON_DOWN when the connection ends first. */
  request<T extends RequestType>(type: T, fields: Fields<T>): Promise<LocalResults[T]>
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>
  close(): void
}

type Waiting = { resolve: (result: never) => void; reject: (error: Error) => void }

/**
 * Connects and says hello, in the version before when the daemon is older. Throws DAEMON_DOWN when nobody listens, and the
 * daemon's refusal of the agent as it came.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  for (let version = LOCAL_VERSION; ; version--) {
    try {
      return await dial(options, version)
    } catch (error) {
      const isRefused = error instanceof RelayError && error.code === 'VERSION_UNSUPPORTED'
      if (!isRefused || version === OLDEST_LOCAL_VERSION) throw error
    }
  }
}

async function dial({ socket: path, client, agent, onPush }: ConnectionOptions, version: number): Promise<Connection> {
  checkSocketFolder(path)
  const socket = createConnection(path)
  const waiting = new Map<number, Waiting>()
  let nextId = 1
  let failure: Error | undefined
  type Greeting = { agent: string | null; daemon: string }
  let settleWelcome: { resolve: (welcome: Greeting) => void; reject: (error: Error) => void } | undefined
  const welcome = new Promise<Greeting>((resolve, reject) => {
    settleWelcome = { resolve, reject }
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))

  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= daemonDown(error.code, path)
  })
  socket.once('close', () => {
    const error = failure ?? new RelayError('DAEMON_DOWN', 'The daemon ended the connection. Next: agent-relay up')
    settleWelcome?.reject(error)
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  })
  readLines(socket, (line) => receive(JSON.parse(line) as ServerFrame))

  function receive(frame: ServerFrame): void {
    if (frame.type === 'welcome') settleWelcome?.resolve(frame)
    else if (frame.type === 'ok') answer(frame.id)?.resolve(frame.result as never)
    else if (frame.type === 'error') {
      const asked = frame.id === null ? undefined : answer(frame.id)
      if (asked) asked.reject(fromWire(frame))
      else {
        // Not about a request: the daemon closes the connection after it.
        failure = fromWire(frame)
        settleWelcome?.reject(failure)
      }
    } else onPush?.(frame)
  }

  function answer(id: number): Waiting | undefined {
    const asked = waiting.get(id)
    waiting.delete(id)
    return asked
  }

  /** What is written in one tick leaves in one system call. */
  function write(frame: unknown): void {
    if (socket.writableCorked === 0) {
      socket.cork()
      process.nextTick(() => socket.uncork())
    }
    socket.write(`${JSON.stringify(frame)}\n`)
  }

  write({ type: 'hello', v: version, client, ...(agent && { agent }) })
  const greeting = await welcome
  return {
    agent: greeting.agent,
    version,
    closed,
    request: (type, fields) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) {
          reject(failure ?? daemonDown(undefined, path))
          return
        }
        if (version < LOCAL_VERSION && !isKnownIn(localVersions, version, type))
          return reject(notKnown(type, greeting.daemon))
        const id = nextId++
        waiting.set(id, { resolve, reject })
        write({ type, id, ...fields })
      }),
    close: () => void socket.end(),
  }
}

function readLines(socket: Socket, onLine: (line: string) => void): void {
  let pending: string[] = []
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    const parts = text.split('\n')
    if (parts.length === 1) {
      pending.push(text)
      return
    }
    parts[0] = pending.join('') + parts[0]
    pending = [parts.pop() ?? '']
    for (const line of parts) if (line !== '') onLine(line)
  })
}

const notKnown = (type: string, daemon: string): RelayError =>
  new RelayError(
    'VERSION_UNSUPPORTED',
    `The daemon (${daemon}) is older than this agent-relay and knows no ${type}. Next: agent-relay down, then agent-relay up`,
  )

function daemonDown(code: string | undefined, path: string): RelayError {
  if (code === 'EACCES')
    return new RelayError(
      'DAEMON_DOWN',
      `${path} belongs to another user. Next: set AGENT_RELAY_HOME to a folder of your own`,
    )
  return new RelayError('DAEMON_DOWN', 'The daemon is not running. Next: agent-relay up')
}
