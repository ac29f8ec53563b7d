import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Watches a server's connections, and returns how to close it: nothing new is taken, open requests finish, and connections
 * without one end at once. Node's own `closeIdleConnections` spares those that never asked for anything.
 */
export function closable(server: Server): () => Promise<void> {
  const idle = new Set<Socket>()
  server.on('connection', (socket) => {
    idle.add(socket)
    socket.once('close', () => idle.delete(socket))
  })
  server.on('request', (request, response) => {
    idle.delete(request.socket)
    response.once('close', () => {
      if (request.socket.destroyed) return
      idle.add(request.socket)
      if (!server.listening) request.socket.destroySoon()
    })
  })
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of idle) socket.destroySoon()
    })
}
