/** What every request gets at the door: an id that answers, errors and log share, the caller's address, a log line. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { Logger } from '#lib/log.ts'

/** From here a reverse proxy may speak for somebody else. */
const proxies = new BlockList()
for (const [network, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  proxies.addSubnet(network, prefix, 'ipv4')
proxies.addAddress('::1', 'ipv6')
proxies.addSubnet('fc00::', 7, 'ipv6')

/**
 * Sets `x-request-id` (a proxy's own is kept when it is well formed) and reduces `x-forwarded-for` to the one address that
 * can be believed, so that every reader behind this gets the same answer. Logs the path only: queries carry tokens.
 */
export function enterRequest(request: IncomingMessage, response: ServerResponse, log: Logger): void {
  const given = request.headers['x-request-id']
  wasForwarded.set(request, isForwarded(request))
  const requestId = typeof given === 'string' && /^[\w-]{8,64}$/.test(given) ? given : randomUUID()
  request.headers['x-request-id'] = requestId
  request.headers['x-forwarded-for'] = clientAddress(request)
  response.setHeader('x-request-id', requestId)
  const startedAt = performance.now()
  response.once('close', () => {
    const { statusCode: status } = response
    const entry = {
      requestId,
      method: request.method,
      path: request.url?.split('?')[0],
      status,
      tookMs: Math.round(performance.now() - startedAt),
    }
    if (status >= 500) log.warn(entry, 'request failed')
    else log.debug(entry, 'request')
  })
}

/** What stood in the headers of a request before they were replaced. */
const wasForwarded = new WeakMap<IncomingMessage, boolean>()

/** Whether a proxy says that it speaks for somebody else, true or not. */
const isForwarded = ({ headers }: IncomingMessage): boolean =>
  ['x-forwarded-for', 'forwarded', 'x-real-ip'].some((name) => headers[name] !== undefined)

/** Where the other end of this very connection is, whatever its headers say; null when a proxy stands between. */
export const observedAddress = (request: IncomingMessage): string | null =>
  (wasForwarded.get(request) ?? isForwarded(request)) ? null : peerAddress(request) || null

const peerAddress = ({ socket }: IncomingMessage): string => (socket.remoteAddress ?? '').replace(/^::ffff:/, '')

/** The peer's address; behind a proxy on this computer or its network, the last address that the proxy added. */
export function clientAddress(request: IncomingMessage): string {
  const peer = peerAddress(request)
  const family = isIP(peer) === 6 ? 'ipv6' : 'ipv4'
  if (!isIP(peer) || !proxies.check(peer, family)) return peer
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => isIP(part))
  return forwarded.at(-1) ?? peer
}
