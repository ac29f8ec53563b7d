/** The local socket: opened for this user only, `hello` first, every line answered. */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { LOCAL_VERSION, type LocalRequest, OLDEST_LOCAL_VERSION } from '@agent-relay/protocol/local'
import { RelayError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Connection, createConnection } from './connection.ts'
import { parseLine } from './parse.ts'

/** How long a client may take for its `hello`. */
const HELLO_MS = 10_000

/** What the daemon does for one connection after its `hello`. */
export type Session = {
  readonly agent: string | null
  /** Answers through the connection, sooner or later, exactly once. What it throws is the answer. */
  handle(request: LocalRequest): void
  closed(): void
}

export type Proof = { name: string; token: string }

export type LocalServer = { close(): Promise<void> }

type Options = {
  path: string
  version: string
  log: Log
  /** How long a client may take for its `hello`; 10 s. */
  helloMs?: number
  /** Throws UNAUTHENTICATED when the proof is none. */
  open(connection: Connection, proof: Proof | undefined): Session
}

/** Listens. Whoever calls this holds the home's lock, so a socket file that is there is a dead daemon's. */
export async function listenLocally({ path, ...options }: Options): Promise<LocalServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serve(socket, options)
  })
  const isPipe = process.platform === 'win32'
  if (!isPipe) rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new RelayError('UNAVAILABLE', `The socket ${path} cannot be opened: ${error.message}`, { cause: error })),
    )
    server.listen(path, resolve)
  })
  if (!isPipe) chmodSync(path, 0o600)
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroySoon()
      await closed
      if (!isPipe) rmSync(path, { force: true })
    },
  }
}

function serve(socket: Socket, { version, log, helloMs = HELLO_MS, open }: Omit<Options, 'path'>): void {
  let session: Session | undefined
  const impatience = setTimeout(() => {
    connection.fail(
      null,
      new RelayError('TIMEOUT', `No hello came within ${helloMs / 1000} s: send it as the first line.`),
    )
    connection.end()
  }, helloMs)

  const connection = createConnection(socket, {
    line(text) {
      try {
        takeLine(text)
      } catch (error) {
        const { code, details } = error as RelayError
        const id = typeof details?.id === 'number' ? details.id : null
        connection.fail(id, error)
        // A request of a later version is one all the same. After a line that was none, nothing can be trusted to line up.
        const isFrame = id !== null || code === 'UNKNOWN_FRAME'
        if (session === undefined || !isFrame) connection.end()
      }
    },
    closed() {
      clearTimeout(impatience)
      session?.closed()
    },
    cut: (reason) => log.warn(reason),
  })

  function takeLine(text: string): void {
    const { id, frame } = parseLine(text)
    if (frame.type === 'hello') {
      if (session !== undefined) throw new RelayError('BAD_REQUEST', 'A second hello came: open another connection.')
      if (frame.v < OLDEST_LOCAL_VERSION || frame.v > LOCAL_VERSION) throw unsupported(frame.v, version)
      session = open(connection, frame.agent)
      connection.version = frame.v
      clearTimeout(impatience)
      connection.write(JSON.stringify({ type: 'welcome', v: frame.v, daemon: version, agent: session.agent }))
      return
    }
    if (session === undefined) throw new RelayError('BAD_REQUEST', 'A request came before hello: send hello first.')
    try {
      session.handle(frame)
    } catch (error) {
      if (!(error instanceof RelayError)) log.error(`${frame.type} failed`, { error })
      connection.fail(id, error)
    }
  }
}

function unsupported(asked: number, version: string): RelayError {
  const spoken = `version ${asked} of the local socket, and this daemon (${version}) ${OLDEST_LOCAL_VERSION} to ${LOCAL_VERSION}`
  return new RelayError(
    'VERSION_UNSUPPORTED',
    asked > LOCAL_VERSION
      ? `The client is newer: it speaks ${spoken}. Restart the daemon: agent-relay down, then agent-relay up`
      : `The client is older: it speaks ${spoken}. Install the daemon's own: npm install agent-relay@${version}`,
  )
}
