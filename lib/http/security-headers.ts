import type { ServerResponse } from 'node:http'

/** Headers of every answer; a route that needs another value sets its own over it. */
export function setSecurityHeaders(response: ServerResponse, { isHttps }: { isHttps: boolean }): void {
  // A frame around the approval of a machine could make a person click it.
  response.setHeader('content-security-policy', "frame-ancestors 'none'; base-uri 'self'; object-src 'none'")
  response.setHeader('x-frame-options', 'DENY')
  // Addresses carry device codes and names of organizations.
  response.setHeader('referrer-policy', 'same-origin')
  // An answer is what its type says, also when a message's text looks like HTML.
  response.setHeader('x-content-type-options', 'nosniff')
  // Once over TLS, always over TLS: a session cookie never travels in the clear again. One year, as browsers expect.
  if (isHttps) response.setHeader('strict-transport-security', 'max-age=31536000')
}
