/** Every TCP socket that this process makes, by the two machines at its ends: no part of a daemon says how many there are. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

export type WatchedSockets = {
  /** What `act` connects before its first await belongs to a dial between these two. */
  within<T>(pair: string, act: () => T): T
  /** Open ends of connections between the two: of those that dialed, and of those that were dialed. */
  open(pair: string): { dialed: number; taken: number }
  /** Open ends of all connections. */
  count(): number
  /** When one was opened or closed last, by performance.now(). */
  changedAt(): number
  stop(): void
}

/** Watches from now on. */
export function watchSockets(): WatchedSockets {
  const dialed = new Map<Socket, string>()
  const taken = new Set<Socket>()
  /** By the dialing end's port and the other one: ports of its own the system gives out once for each that is dialed. */
  const pairs = new Map<string, string>()
  let current: string | undefined
  let changedAt = performance.now()

  function watch(socket: Socket, forget: () => void): void {
    changedAt = performance.now()
    socket.once('close', () => {
      changedAt = performance.now()
      forget()
    })
  }
  function onDialed(message: unknown): void {
    const { socket } = message as { socket: Socket }
    const pair = current
    if (pair === undefined) return
    dialed.set(socket, pair)
    watch(socket, () => dialed.delete(socket))
    socket.once('connect', () => pairs.set(`${socket.localPort} ${socket.remotePort}`, pair))
  }
  function onTaken(message: unknown): void {
    const { socket } = message as { socket: Socket }
    taken.add(socket)
    watch(socket, () => taken.delete(socket))
  }
  subscribe('net.client.socket', onDialed)
  subscribe('net.server.socket', onTaken)

  return {
    within(pair, act) {
      current = pair
      try {
        return act()
      } finally {
        current = undefined
      }
    },
    open: (pair) => ({
      dialed: [...dialed.values()].filter((one) => one === pair).length,
      taken: [...taken].filter((socket) => pairs.get(`${socket.remotePort} ${socket.localPort}`) === pair).length,
    }),
    count: () => dialed.size + taken.size,
    changedAt: () => changedAt,
    stop() {
      unsubscribe('net.client.socket', onDialed)
      unsubscribe('net.server.socket', onTaken)
    },
  }
}
