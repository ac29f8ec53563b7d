/** What somebody needs who wants to get in without our programs: TLS with a key of choice, and HTTP and WebSocket by hand. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer, connect as netConnect, type Socket } from 'node:net'
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { PEER_PATH } from '@agent-relay/protocol'
import { createCertificate } from './certificate.ts'
import type { Identity } from './testing.ts'

export const PEER_URL = `${PEER_PATH}/?EIO=4&transport=websocket`

const quiet = <S extends Socket>(socket: S): S => {
  socket.on('error', () => undefined)
  return socket
}

/** TLS to a machine, after its handshake at this end. Without an identity no certificate is shown. */
export async function secureTo(port: number, identity?: Identity, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const shown = identity === undefined ? {} : await createCertificate(identity.pem)
  const socket = quiet(connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...shown, ...options }))
  await once(socket, 'secureConnect')
  return socket
}

/** All that a socket still gives, once it has ended. */
export async function untilClosed(socket: Socket): Promise<string> {
  let all = ''
  socket.on('data', (data) => {
    all += data.toString('latin1')
  })
  if (!socket.destroyed) await once(socket, 'close')
  return all
}

export function upgradeRequest(url = PEER_URL, headers: Record<string, string> = {}): string {
  const all = {
    Host: 'peer',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${url} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** One WebSocket frame with a text; masked, as a client's are, with zeros. */
export function textFrame(text: string | Buffer, { isMasked = true, first = 0x81 } = {}): Buffer {
  const payload = Buffer.from(text)
  const mask = isMasked ? 0x80 : 0
  const size = payload.length
  const head =
    size < 126
      ? Buffer.from([first, mask | size])
      : size < 65_536
        ? Buffer.from([first, mask | 126, size >> 8, size & 255])
        : Buffer.concat([Buffer.from([first, mask | 127, 0, 0, 0, 0]), uint32(size)])
  return Buffer.concat([head, isMasked ? Buffer.alloc(4) : Buffer.alloc(0), payload])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A WebSocket at a machine's listener; what it says comes as bytes, among them the texts. */
export async function webSocketTo(port: number, identity: Identity): Promise<TLSSocket> {
  const socket = await secureTo(port, identity)
  socket.write(upgradeRequest())
  const [answer] = await once(socket, 'data')
  if (!String(answer).startsWith('HTTP/1.1 101')) throw new Error(`no upgrade: ${answer}`)
  return socket
}

type Listener = { port: number; close(): void }

/** A listener with a key of choice: it takes TLS and upgrades to WebSocket, and then does what a test wants. */
export async function hostileListener(
  identity: Identity,
  onSocket: (socket: TLSSocket) => void,
  options: TlsOptions = {},
): Promise<Listener> {
  const sockets = new Set<Socket>()
  const server = createServer(
    { ...(await createCertificate(identity.pem)), requestCert: true, rejectUnauthorized: false, ...options },
    (socket) => {
      sockets.add(quiet(socket))
      onSocket(socket)
    },
  )
  server.on('tlsClientError', () => undefined)
  return listening(server, sockets)
}

/** The answer to a dialer's upgrade. */
export async function acceptUpgrade(socket: TLSSocket): Promise<void> {
  const [request] = await once(socket, 'data')
  const key = /sec-websocket-key: (\S+)/i.exec(String(request))?.[1]
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
}

export const OPENING = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
export const CONNECTED = '40{"sid":"x"}'

/** Passes bytes on as they are, and keeps them by direction. */
export async function recorder(to: number): Promise<Listener & { up: Buffer[]; down: Buffer[] }> {
  const up: Buffer[] = []
  const down: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createTcpServer((near) => {
    const far = quiet(netConnect({ port: to, host: '127.0.0.1' }))
    sockets.add(quiet(near)).add(far)
    near.on('data', (data) => up.push(data)).pipe(far)
    far.on('data', (data) => down.push(data)).pipe(near)
  })
  return { ...(await listening(server, sockets)), up, down }
}

/** Says the same bytes to whoever comes, as soon as it has said something. */
export async function player(bytes: Buffer): Promise<Listener> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(quiet(socket))
    socket.once('data', () => socket.write(bytes))
  })
  return listening(server, sockets)
}

async function listening(
  server: ReturnType<typeof createTcpServer> | ReturnType<typeof createServer>,
  sockets: Set<Socket>,
): Promise<Listener> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
