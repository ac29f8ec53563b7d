/** The daemon's own package, so that `npx ORIGIN/agent-relay.tgz` installs exactly what this control plane speaks. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Where the build puts the packed daemon, from the project's root. */
export const packageFile = '.build/agent-relay.tgz'

/** Answers GET and HEAD; 404 with the reason when the package was not built. */
export async function servePackage(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end()
    return
  }
  const file = await stat(packageFile).catch(() => undefined)
  if (!file) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' })
    response.end(`The daemon's package is not built: start the control plane with npm start.\n`)
    return
  }
  const etag = `"${file.size.toString(36)}-${Math.round(file.mtimeMs).toString(36)}"`
  const headers = { etag, 'cache-control': 'no-cache', 'content-type': 'application/gzip' }
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end()
    return
  }
  response.writeHead(200, { ...headers, 'content-length': file.size })
  if (request.method === 'HEAD') response.end()
  else
    createReadStream(packageFile)
      .on('error', () => response.destroy())
      .pipe(response)
}
