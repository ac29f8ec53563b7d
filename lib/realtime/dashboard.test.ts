import { once } from 'node:events'
import {
  DASHBOARD_NAMESPACE,
  type DashboardClientEvents,
  type DashboardHint,
  type DashboardServerEvents,
  SOCKET_PATH,
} from '@agent-relay/protocol'
import { io, type Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openSession } from '#lib/auth/session.ts'
import { createTestDatabase, type TestDatabase } from '#lib/testing/database.ts'
import { connectMachine, linkMachine, startGateway, type TestGateway } from '#lib/testing/machines.ts'
import { foundTeam, signUp } from '#lib/testing/people.ts'
import { publish } from './bus.ts'

type Dashboard = Socket<DashboardServerEvents, DashboardClientEvents>

let database: TestDatabase
let gateway: TestGateway
let team: Awaited<ReturnType<typeof foundTeam>>
const open: Dashboard[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startGateway(database.db)
  team = await foundTeam(database.db, 'olga', 'Acme')
})
afterEach(() => {
  for (const socket of open.splice(0)) socket.disconnect()
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

const cookieOf = async (userId: string): Promise<string> =>
  (await openSession(database.db, userId)).split(';')[0] as string

function dial(headers: Record<string, string>): Dashboard {
  const socket: Dashboard = io(gateway.url + DASHBOARD_NAMESPACE, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    extraHeaders: headers,
  })
  open.push(socket)
  return socket
}

async function subscribed(cookie: string, org: string) {
  const socket = dial({ cookie, origin: gateway.url })
  await once(socket as never, 'connect')
  return { socket, answer: await socket.emitWithAck('subscribe', { org }) }
}

test('a member hears that something changed in the organization, and nothing of others', async () => {
  const { socket, answer } = await subscribed(await cookieOf(team.owner.userId), 'acme')
  expect(answer).toEqual({ ok: true, value: { done: true } })
  const heard = new Set<string>()
  const both = new Promise<void>((resolve) =>
    socket.on('hint', (hint: DashboardHint) => {
      expect(hint.org).toBe(team.org.id)
      for (const kind of hint.kinds) heard.add(kind)
      if (heard.has('machines') && heard.has('agents')) resolve()
    }),
  )
  publish('hint', { orgId: crypto.randomUUID(), kinds: ['messages'] })
  const machine = await linkMachine(database.db, team.owner, team.org.id, 'alice-mbp')
  const client = await connectMachine(gateway.url, machine)
  await both
  await client.close()
  expect(heard).not.toContain('messages')
})

test('many changes make few hints', async () => {
  const { socket } = await subscribed(await cookieOf(team.owner.userId), 'acme')
  const hints: DashboardHint[] = []
  const last = new Promise<void>((resolve) =>
    socket.on('hint', (hint) => {
      hints.push(hint)
      if (hint.kinds.includes('org')) resolve()
    }),
  )
  for (let i = 0; i < 1000; i++) publish('hint', { orgId: team.org.id, kinds: ['messages'] })
  publish('hint', { orgId: team.org.id, kinds: ['org'] })
  await last
  expect(hints.length).toBeLessThanOrEqual(3)
})

test('a stranger, a foreign page and somebody who is signed out get nothing', async () => {
  const stranger = await signUp(database.db, 'fred')
  const { answer } = await subscribed(await cookieOf(stranger.userId), 'acme')
  expect(answer).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
  const refused = dial({ cookie: 'next-auth.session-token=wrong', origin: gateway.url })
  const [error] = await once(refused as never, 'connect_error')
  expect(error).toMatchObject({ data: { code: 'UNAUTHENTICATED' } })
  const foreign = dial({ cookie: await cookieOf(team.owner.userId), origin: 'https://evil.example' })
  await once(foreign as never, 'connect_error')
  expect(foreign.connected).toBe(false)
})
