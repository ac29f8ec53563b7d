/**
 * Socket.IO of a dialing machine, over a connection whose other end TLS has proved. That end may still be hostile, and
 * Socket.IO's client trusts its server: what would throw within it, where nobody catches, is caught here.
 */
import { Agent } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { PEER_BUFFER_BYTES, PEER_HANDSHAKE_MS, PEER_PATH } from '@agent-relay/protocol'
import { Manager } from 'socket.io-client'
import { createWire, type Wire } from './wire.ts'

/** Socket.IO's types of packets that a listener sends. */
const CONNECT = 0
const DISCONNECT = 1
const EVENT = 2
/** A namespace that nobody has: a packet for it is passed over. */
const NOWHERE = '\0'

/** Resolves when Socket.IO is spoken at both ends; rejects when the other end does not. The connection stays the caller's to end. */
export function connectSocket(tls: TLSSocket): Promise<Wire> {
  const agent = new Agent()
  agent.createConnection = () => tls
  // The name is for HTTP's sake: the connection is there already, and says nothing of whose it is.
  const manager = new Manager('http://peer', {
    path: PEER_PATH,
    transports: ['websocket'],
    upgrade: false,
    reconnection: false,
    autoConnect: false,
    autoUnref: true,
    forceNew: true,
    perMessageDeflate: false as never,
    agent: agent as never,
    // The caller's clock comes first, because it can say what happened.
    timeout: 2 * PEER_HANDSHAKE_MS,
    transportOptions: { websocket: { maxPayload: PEER_BUFFER_BYTES } },
  })
  const socket = manager.socket('/')
  const wire = createWire(
    {
      emit: (event, frame) => socket.emit(event, frame),
      onAny: (listener) => socket.onAny(listener),
      on: (event, listener) => socket.on(event, listener),
      end: () => socket.disconnect(),
      waiting: () => manager.engine?.writeBuffer ?? [],
    },
    tls,
  )
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new Error(why))
      wire.cut()
    }
    // Before the socket's own listener for packets, which takes them as they are.
    manager.on('packet', (packet) => {
      if (isFitting(packet, socket.connected)) return
      packet.nsp = NOWHERE
      fail('it sent a packet that does not belong here')
    })
    socket.once('connect', () => resolve(wire))
    socket.once('connect_error', (error) => fail(error.message))
    tls.once('close', () => fail('it closed the connection'))
    socket.connect()
    let isOpen = false
    manager.engine.on('packet', (packet) => {
      if (packet.type !== 'open' || (!isOpen && isOpening(packet.data))) {
        isOpen ||= packet.type === 'open'
        return
      }
      packet.type = 'noop'
      fail('it opened the connection in a way that cannot be read')
    })
  })
}

function isFitting({ type, data }: { type: number; data?: unknown }, isConnected: boolean): boolean {
  if (type === DISCONNECT) return true
  if (isConnected) return type === EVENT && Array.isArray(data)
  const sid = (data as { sid?: unknown } | null | undefined)?.sid
  return type === CONNECT && typeof sid === 'string' && sid !== ''
}

/** Engine.IO's first packet, as far as its client reads it without looking. */
function isOpening(data: unknown): boolean {
  try {
    const opening = JSON.parse(String(data))
    const { sid, upgrades, pingInterval, pingTimeout } = opening
    return typeof sid === 'string' && Array.isArray(upgrades) && isTime(pingInterval) && isTime(pingTimeout)
  } catch {
    return false
  }
}

const isTime = (ms: unknown): boolean => typeof ms === 'number' && ms > 0 && ms <= 60_000
