/**
 * Socket.IO of a listening machine, over connections whose other end TLS has proved to be a machine of the roster. It listens
 * nowhere itself, takes no plain request, nothing of a browser, and one conversation of each connection.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { PEER_BUFFER_BYTES, PEER_HANDSHAKE_MS, PEER_PATH } from '@agent-relay/protocol'
import { Server, type Socket } from 'socket.io'
import { createWire, type Wire } from './wire.ts'

/** Our own request has some 250 bytes. */
const MAX_HEADER_BYTES = 4_096

export type SocketServer = {
  /** Resolves when the other end has begun to speak Socket.IO; never when it does not: the caller has a clock. */
  take(tls: TLSSocket): Promise<Wire>
  close(): void
}

export function createSocketServer(): SocketServer {
  const http = createServer({ maxHeaderSize: MAX_HEADER_BYTES })
  const io = new Server(http, {
    path: PEER_PATH,
    transports: ['websocket'],
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: PEER_BUFFER_BYTES,
    connectTimeout: PEER_HANDSHAKE_MS,
  })
  const waiting = new WeakMap<object, (wire: Wire) => void>()

  // Socket.IO's own would answer what nobody here asks: polling, other paths, browsers.
  http.removeAllListeners('request').on('request', (request) => request.socket.destroy())
  http.removeAllListeners('upgrade').on('upgrade', (request, socket, head) => {
    if (waiting.has(request.socket) && isPeerRequest(request)) io.engine.handleUpgrade(request, socket, head)
    else request.socket.destroy()
  })
  http.on('clientError', (_error, socket) => socket.destroy())
  io.on('connection', (socket) => {
    const tls = socket.request.socket as TLSSocket
    const take = waiting.get(tls)
    waiting.delete(tls)
    if (take === undefined) tls.destroy()
    else take(serverWire(socket, tls))
  })

  return {
    take: (tls) =>
      new Promise((resolve) => {
        waiting.set(tls, resolve)
        http.emit('connection', tls)
      }),
    close() {
      // Ends its engine, too; that the HTTP server never listened is no error to us.
      void io.close()
    },
  }
}

/** Exactly what our dialer asks: with a `sid` it could move a conversation to a connection that proved somebody else. */
function isPeerRequest({ url, headers }: IncomingMessage): boolean {
  if (headers.origin !== undefined || url === undefined || !URL.canParse(url, 'http://peer')) return false
  const { pathname, searchParams } = new URL(url, 'http://peer')
  const isOurs = pathname === `${PEER_PATH}/` && searchParams.get('transport') === 'websocket'
  return isOurs && searchParams.get('EIO') === '4' && !searchParams.has('sid')
}

function serverWire(socket: Socket, tls: TLSSocket): Wire {
  const { conn } = socket
  return createWire(
    {
      emit: (event, frame) => socket.emit(event, frame),
      onAny: (listener) => socket.onAny(listener),
      on: (event, listener) => socket.on(event, listener),
      end: () => socket.disconnect(true),
      // Public in the engine, but not in its types.
      waiting: () => (conn as unknown as { writeBuffer: { data?: unknown }[] }).writeBuffer,
    },
    tls,
  )
}
