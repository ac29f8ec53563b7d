/** Which JSON endpoints there are: every other address and method is refused by name, before Next answers it with a page. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpError, type WireError } from '@agent-relay/protocol'
import { statusOf } from '#lib/errors.ts'
import { paths } from '#lib/paths.ts'

type Method = 'GET' | 'POST' | 'DELETE'

/** What server.ts answers itself. */
const ownRoutes: Record<string, Method[]> = { [paths.api.reflect()]: ['GET'] }

/** The folders of app/api with what their files export; a test compares them. */
export const apiRoutes: Record<string, Method[]> = {
  '/api/health': ['GET'],
  '/api/ready': ['GET'],
  '/api/link/start': ['POST'],
  '/api/link/poll': ['POST'],
  '/api/link/approve': ['POST'],
  '/api/daemons/register': ['POST'],
  '/api/daemons/heartbeat': ['POST'],
  '/api/daemons/self': ['DELETE'],
  '/api/orgs/[org]/agents': ['GET', 'POST'],
  '/api/orgs/[org]/agents/[name]': ['DELETE'],
  '/api/orgs/[org]/agents/[name]/location': ['GET'],
  '/api/messages/relay': ['POST'],
  '/api/messages/pending': ['GET'],
  '/api/messages/ack': ['POST'],
}

/** Not JSON endpoints of ours: next-auth and tRPC have answers of their own for what they do not know. */
const others = ['/api/auth/', '/api/trpc/']

const patterns = Object.entries({ ...apiRoutes, ...ownRoutes }).map(
  ([route, methods]) => [new RegExp(`^${route.replace(/\[\w+\]/g, '[^/]+')}/?$`), methods] as const,
)

type Asked = { method: string; pathname: string }

/** Why there is nothing to answer; undefined when there is, or when the path is none of the API. */
function objectionTo({ method, pathname }: Asked): (WireError & { allow?: string }) | undefined {
  const isApi = pathname === '/api' || pathname.startsWith('/api/')
  if (!isApi || others.some((prefix) => pathname.startsWith(prefix))) return undefined
  const shown = pathname.slice(0, 100)
  const methods = patterns.find(([pattern]) => pattern.test(pathname))?.[1]
  if (!methods)
    return { code: 'NOT_FOUND', message: `There is nothing at ${shown}. Every endpoint stands in docs/contract.md.` }
  const known: string[] = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS']
  if (known.includes(method)) return undefined
  return {
    code: 'METHOD_NOT_ALLOWED',
    message: `${shown} takes ${methods.join(' or ')} and not ${method.slice(0, 20)}.`,
    allow: known.join(', '),
  }
}

/** Answers what the API has nothing for. Returns whether it did. `enterRequest` has been there before. */
export function refuseUnknown(request: IncomingMessage, response: ServerResponse, pathname: string): boolean {
  const objection = objectionTo({ method: request.method ?? 'GET', pathname })
  if (!objection) return false
  const { allow, ...error } = objection
  const body = HttpError.parse({ error: { ...error, requestId: String(request.headers['x-request-id']) } })
  response.writeHead(statusOf(error.code), {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(allow && { allow }),
  })
  response.end(JSON.stringify(body))
  return true
}
