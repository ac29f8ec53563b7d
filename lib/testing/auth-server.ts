/** next-auth on a real HTTP server, as the app's route runs it, for tests that sign in without a browser. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import NextAuth, { type NextAuthOptions } from 'next-auth'

export type AuthServer = { url: string; close(): Promise<void> }

/** `options` is called per request, once the server's own URL is known. */
export async function startAuthServer(options: () => NextAuthOptions): Promise<AuthServer> {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const req = Object.assign(request, {
      query: { ...Object.fromEntries(url.searchParams), nextauth: url.pathname.split('/').slice(3) },
      cookies: cookiesOf(request),
      body: Object.fromEntries(new URLSearchParams(await textOf(request))),
    })
    const res = Object.assign(response, {
      status: (code: number) => Object.assign(res, { statusCode: code }),
      json: (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value)),
      send: (body: unknown) => response.end(typeof body === 'string' ? body : JSON.stringify(body ?? null)),
    })
    await NextAuth(req as never, res as never, options())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

const cookiesOf = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    (headers.cookie ?? '').split('; ').map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/s, 2)
      return [name, decodeURIComponent(value)]
    }),
  )

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

/** A browser's share of a sign-in: keeps cookies per host and follows nothing by itself. */
export class CookieJar {
  readonly cookies = new Map<string, string>()

  async fetch(url: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (name && value) this.cookies.set(name, value)
      else if (name) this.cookies.delete(name)
    }
    return response
  }
}
