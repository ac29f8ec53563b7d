import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { HttpError } from '@agent-relay/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { createLog } from '#lib/log.ts'
import { apiRoutes, refuseUnknown } from './api-door.ts'
import { enterRequest } from './request-context.ts'

test('the table has exactly the routes and methods of app/api', () => {
  const app = join(import.meta.dirname, '../../app')
  const files = readdirSync(join(app, 'api'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /route\.ts$/.test(file),
  )
  const exported = files
    .filter((file) => !/^(auth|trpc)\//.test(file))
    .map((file) => {
      const source = readFileSync(join(app, 'api', file), 'utf8')
      const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) =>
        new RegExp(`^export\\b.*\\b${method}\\b`, 'm').test(source),
      )
      return [`/api/${dirname(file)}`, methods] as const
    })
  expect(Object.fromEntries(exported)).toEqual(apiRoutes)
})

async function serve(): Promise<string> {
  const log = createLog('silent', { write: () => undefined })
  const server = createServer((request, response) => {
    enterRequest(request, response, log)
    const pathname = (request.url ?? '/').split('?', 1)[0] as string
    if (!refuseUnknown(request, response, pathname)) response.end('served')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

test.each([
  ['GET', '/api/nowhere', 404, 'NOT_FOUND'],
  ['POST', '/api', 404, 'NOT_FOUND'],
  ['GET', '/api/', 404, 'NOT_FOUND'],
  ['GET', '/api/orgs/a/b/agents', 404, 'NOT_FOUND'],
  ['GET', '/api/__proto__', 404, 'NOT_FOUND'],
  ['GET', '/api/%00', 404, 'NOT_FOUND'],
  ['GET', `/api/${'x'.repeat(5000)}`, 404, 'NOT_FOUND'],
  ['PATCH', '/api/health', 405, 'METHOD_NOT_ALLOWED'],
  ['POST', '/api/reflect', 405, 'METHOD_NOT_ALLOWED'],
  ['GET', '/api/link/start', 405, 'METHOD_NOT_ALLOWED'],
  ['DELETE', '/api/orgs/acme/agents', 405, 'METHOD_NOT_ALLOWED'],
])('%s %s is refused by name', async (method, path, status, code) => {
  const body = method === 'GET' ? {} : { body: 'x'.repeat(100_000) }
  const response = await fetch((await serve()) + path, { method, ...body })
  expect(response.status).toBe(status)
  const { error } = HttpError.parse(await response.json())
  expect(error).toMatchObject({ code, requestId: response.headers.get('x-request-id') })
  expect(error.message.length).toBeLessThan(200)
  expect(response.headers.get('allow') !== null).toBe(status === 405)
})

test.each([
  ['GET', '/api/health'],
  ['HEAD', '/api/health'],
  ['GET', '/api/health/'],
  ['OPTIONS', '/api/link/start'],
  ['POST', '/api/orgs/acme/agents?x=1'],
  ['GET', '/api/trpc/whatever'],
  ['GET', '/api/auth/whatever'],
  ['GET', '/api/reflect'],
  ['GET', '/apis'],
  ['GET', '/o/api'],
])('%s %s goes on', async (method, path) => {
  const response = await fetch((await serve()) + path, { method })
  expect(response.status).toBe(200)
  if (method !== 'HEAD') expect(await response.text()).toBe('served')
})
