/** The control plane of tests: its REST endpoints, its sockets and a Postgres of its own, without the pages. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openSession } from '#lib/auth/session.ts'
import { getDb } from '#lib/db/client.ts'
import { type Realtime, startRealtime } from '#lib/realtime/index.ts'
import { deleteDaemonSelf, postDaemonRegister } from '#lib/rest/daemons.ts'
import { postLinkApprove, postLinkPoll, postLinkStart } from '#lib/rest/link.ts'
import type { UserActor } from '#lib/services/context.ts'
import { createMachineKey } from '#lib/services/machines/create-machine-key.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { testLog } from '#lib/testing/machines.ts'
import { contextOf, foundTeam } from '#lib/testing/people.ts'

const routes: Record<string, typeof postLinkStart> = {
  'POST /api/link/start': postLinkStart,
  'POST /api/link/poll': postLinkPoll,
  'POST /api/link/approve': postLinkApprove,
  'POST /api/daemons/register': postDaemonRegister,
  'DELETE /api/daemons/self': deleteDaemonSelf,
}

export type TestPlane = {
  database: TestDatabase
  url: string
  owner: UserActor
  org: { id: string; slug: string; name: string }
  /** Approves a code as the owner, from a browser with a session. */
  approve(userCode: string): Promise<Response>
  newKey(name: string): Promise<{ key: string; machine: { id: string; name: string } }>
  /** Goes away, as when the process stops; start() comes back on the same port. */
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

export async function startTestPlane(): Promise<TestPlane> {
  const database = await createTestDatabase()
  let server: Server
  let realtime: Realtime
  let port = 0

  async function start(): Promise<void> {
    server = createServer((request, response) => void answer(request, response))
    realtime = await startRealtime({ httpServer: server, log: testLog, db: database.db })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  async function stop(): Promise<void> {
    await realtime.close()
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }

  await start()
  const url = `http://127.0.0.1:${port}`
  // The endpoints read both when the first request comes.
  Object.assign(process.env, { DATABASE_URL: database.url, PUBLIC_URL: url })
  const { owner, org } = await foundTeam(database.db, 'olga', 'Acme')
  const cookie = (await openSession(database.db, owner.userId)).split(';', 1)[0] ?? ''
  return {
    database,
    url,
    owner,
    org,
    approve: (userCode) =>
      fetch(`${url}/api/link/approve`, {
        method: 'POST',
        headers: { cookie, origin: url, 'content-type': 'application/json' },
        body: JSON.stringify({ user_code: userCode, org: org.slug }),
      }),
    newKey: (name) => createMachineKey(contextOf(database.db, owner), { org: org.id, name }),
    stop,
    start,
    async close() {
      await stop()
      await getDb().$disconnect()
      await database.drop()
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const headers = new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
  headers.set('x-forwarded-for', '192.0.2.7')
  const { method = 'GET', url = '/' } = request
  const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined
  const asked = new Request(new URL(url, 'http://127.0.0.1'), { method, headers, ...(body && { body }) })
  const reply = await routes[`${method} ${url}`]?.(asked, { params: Promise.resolve({}) })
  response.writeHead(reply?.status ?? 404, Object.fromEntries(reply?.headers ?? []))
  response.end(reply && Buffer.from(await reply.arrayBuffer()))
}
