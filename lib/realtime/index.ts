/** Sockets of machines and dashboards on the control plane's own port. */
import { randomUUID } from 'node:crypto'
import type { Server as HttpServer, IncomingMessage } from 'node:http'
import { hostname } from 'node:os'
import {
  controlVersions,
  DASHBOARD_NAMESPACE,
  deltaIn,
  MACHINES_NAMESPACE,
  MAX_SOCKET_BUFFER_BYTES,
  SOCKET_PATH,
  type WireError,
} from '@agent-relay/protocol'
import { Server } from 'socket.io'
import { isSameOrigin } from '#lib/auth/origin.ts'
import { getDb } from '#lib/db/client.ts'
import type { Db } from '#lib/services/context.ts'
import { personMail } from '#lib/services/inbox/person-mail.ts'
import { endSessions, openSessions, type SessionFacts } from '#lib/services/machines/sessions.ts'
import { createBatcher } from './batcher.ts'
import { listen, publish } from './bus.ts'
import { createClones } from './clones.ts'
import { type DashboardNamespace, serveDashboard } from './dashboard-gateway.ts'
import { createDirectories } from './directory.ts'
import type { Drain } from './drain.ts'
import { type Gateway, type MachineNamespace, machineRoom, orgRoom } from './gateway.ts'
import { keepLeases } from './leases.ts'
import type { Log } from './log.ts'
import { serveMachines } from './machine-gateway.ts'
import type { MachineSession } from './machine-session.ts'
import { createRelay } from './relay.ts'
import { openRelayDoor } from './relay-door.ts'
import { createTraceWriter } from './trace-writer.ts'

export type Realtime = {
  /** Says goodbye to every machine, ends their sessions and closes all sockets; the HTTP server stays open. */
  close(): Promise<void>
}

type Options = {
  httpServer: HttpServer
  log: Log
  db?: Db
  /** ms between engine pings. */
  pingIntervalMs?: number
  /** ms that a connection has to ask for a namespace. */
  connectTimeoutMs?: number
}

/** Serves Socket.IO at SOCKET_PATH of this server. One control plane process per database: sessions that another left are ended. */
export async function startRealtime({
  httpServer,
  log,
  db = getDb(),
  pingIntervalMs = 25_000,
  connectTimeoutMs = 10_000,
}: Options): Promise<Realtime> {
  const node = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`
  await endSessions(db, { notOfNode: node })
  let isClosing = false
  const io = new Server(httpServer, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    serveClient: false,
    perMessageDeflate: false,
    maxHttpBufferSize: MAX_SOCKET_BUFFER_BYTES,
    destroyUpgrade: false,
    connectTimeout: connectTimeoutMs,
    pingInterval: pingIntervalMs,
    allowRequest: (request, answer) => answer(null, !isClosing && isAllowed(request)),
  })
  const machines: MachineNamespace = io.of(MACHINES_NAMESPACE)
  const dashboards: DashboardNamespace = io.of(DASHBOARD_NAMESPACE)
  const sessions = new Map<string, MachineSession>()
  const drains = new WeakMap<MachineSession, Drain>()
  const directories = createDirectories({
    db,
    onDelta(orgId, delta, signed) {
      for (const { v } of controlVersions)
        machines.to(orgRoom(orgId, v)).emit('roster', v < 3 ? deltaIn(v, delta) : signed)
    },
    onError: (error, orgId) => log.error({ err: error, org: orgId }, 'roster not read'),
  })
  const traces = createTraceWriter({ db, log })
  const relay = createRelay({ db, log, directories, sessions })
  const ending = new Set<Promise<void>>()
  const openOne = createBatcher((facts: SessionFacts[]) => openSessions(db, facts))
  const endOne = createBatcher(async (ids: string[]) => {
    for (const orgId of await endSessions(db, { ids })) publish('roster', { orgId })
    return ids
  })

  async function endSession(session: MachineSession): Promise<void> {
    const { orgId } = session.ctx.actor
    if (sessions.get(session.machineId) === session) sessions.delete(session.machineId)
    try {
      await endOne(session.id)
      publish('hint', { orgId, kinds: ['machines', 'agents', 'network'] })
    } catch (error) {
      log.warn({ err: error, machine: session.machineId }, 'session not ended; its lease will run out')
    }
    directories.release(orgId)
  }

  /** Of machines' mail the senders say again what was lost; of people's, the control plane is the sender. */
  async function resend(machineId: string): Promise<void> {
    const session = sessions.get(machineId)
    if (!session) return
    try {
      for (const id of await personMail(db, session.ctx.actor)) session.handedOver.delete(id)
      drains.get(session)?.wake()
    } catch (error) {
      log.warn({ err: error, machine: machineId }, 'not sent again; the next round tries it')
    }
  }

  const gateway: Gateway = {
    db,
    log,
    node,
    sessions,
    drains,
    directories,
    clones: createClones(),
    relay,
    traces,
    openSession: openOne,
    onEnd(session) {
      if (isClosing) return
      const end = endSession(session).finally(() => ending.delete(end))
      ending.add(end)
    },
  }
  serveMachines(machines, gateway)
  const stopDashboard = serveDashboard(dashboards, { db, log })
  const stopLeases = keepLeases(sessions, { db, log })
  const unlisten = [
    listen('disconnect', ({ machineId, error }) => {
      const room = machines.in(machineRoom(machineId))
      room.emit('goodbye', error)
      room.disconnectSockets(true)
    }),
    listen('mail', (news) => {
      for (const { machineId, from } of news.machines) {
        const session = sessions.get(machineId)
        if (session) drains.get(session)?.wake(from)
      }
    }),
    listen('resend', ({ machineIds }) => {
      for (const id of machineIds) void resend(id)
    }),
    listen('owed', ({ machineIds }) => {
      for (const id of machineIds) {
        const session = sessions.get(id)
        if (session) relay.inbox.tell(session.ctx.actor)
      }
    }),
  ]
  openRelayDoor(relay)

  return {
    async close() {
      if (isClosing) return
      isClosing = true
      openRelayDoor(undefined)
      stopLeases()
      stopDashboard()
      for (const stop of unlisten) stop()
      const open = [...sessions.values()]
      sessions.clear()
      for (const session of open) session.end(shuttingDown)
      io.disconnectSockets(true)
      io.engine.close()
      directories.stop()
      await Promise.allSettled([...ending, traces.close(), relay.inbox.close()])
      await endSessions(db, { ids: open.map(({ id }) => id) }).catch((error) =>
        log.warn({ err: error }, 'sessions not ended; their leases will run out'),
      )
    },
  }
}

const shuttingDown: WireError = {
  code: 'SHUTTING_DOWN',
  message: 'The control plane is stopping or restarting; the daemon connects again by itself.',
}

/** Programs send no Origin; a page of another site must not open a socket with our person's cookie. */
function isAllowed({ headers }: IncomingMessage): boolean {
  return headers.origin === undefined || isSameOrigin(new Headers({ origin: headers.origin, host: headers.host ?? '' }))
}
