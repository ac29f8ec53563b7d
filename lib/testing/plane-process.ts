/**
 * The control plane as a process of its own without the pages, for tests that end, freeze or starve it: its sockets and its
 * readiness on PORT of HOST, over DATABASE_URL. Starts in half a second. Says over IPC when it is ready.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { env } from '#lib/env.ts'
import { closable } from '#lib/http/close-server.ts'
import { listen } from '#lib/http/listen.ts'
import { serveReflection } from '#lib/http/reflection.ts'
import { getLog } from '#lib/log.ts'
import { paths } from '#lib/paths.ts'
import { POINTS } from '#lib/points.ts'
import { checkReadiness } from '#lib/process/health.ts'
import { onceTold } from '#lib/process/shutdown.ts'
import { startRealtime } from '#lib/realtime/index.ts'

const log = getLog()
// Everything is loaded: with GATED it waits for a first message before it touches anything, so that it can take over at once.
if (process.env.GATED === '1') await once(process, 'message')
const http = createServer(async (request, response) => {
  if (request.url?.startsWith(`${paths.api.socket()}/`)) return
  if (request.url === paths.api.reflect()) return serveReflection(request, response)
  if (request.url !== paths.api.ready()) return void response.writeHead(404).end()
  const readiness = await checkReadiness()
  response.writeHead(readiness.ready ? 200 : 503).end(JSON.stringify(readiness))
})
const closeHttp = closable(http)
const realtime = await startRealtime({ httpServer: http, log })
onceTold(log, async () => {
  await realtime.close()
  await closeHttp()
})
await listen(http, env().PORT, env().HOST)
process.send?.({ port: (http.address() as AddressInfo).port, points: POINTS })
