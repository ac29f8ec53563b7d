/** GET /api/reflect: from where this very connection comes, for a machine behind a NAT that looks for its own public address. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Reflection } from '@agent-relay/protocol'
import { clientAddress, observedAddress } from './request-context.ts'

/** Answered here and not by Next: a handler there sees no socket. The connection stays open or ends as the client wants it. */
export function serveReflection(request: IncomingMessage, response: ServerResponse): void {
  const isDirect = observedAddress(request) !== null
  const reflection: Reflection = {
    address: clientAddress(request) || null,
    // Behind a proxy it is the proxy's own.
    port: isDirect ? (request.socket.remotePort ?? null) : null,
  }
  const body = JSON.stringify(reflection)
  response.writeHead(200, {
    ...{ 'content-type': 'application/json', 'cache-control': 'no-store' },
    'content-length': Buffer.byteLength(body),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
