/** The namespace `/machines`: from a daemon's first packet to its last. Frames: protocol/src/control.ts. */
import { randomUUID } from 'node:crypto'
import {
  AgentClaim,
  CONTROL_VERSION,
  ControlAuth,
  type ControlEvents,
  isPlainEnvelope,
  MAX_BATCH,
  type MachineEvents,
  RelayBatch,
  ReturnBatch,
  TraceReport,
  type WireError,
} from '@agent-relay/protocol'
import type { Namespace } from 'socket.io'
import { z } from 'zod'
import { machineOfKey } from '#lib/auth/machine-key.ts'
import { DomainError, toWireError } from '#lib/errors.ts'
import { clientAddress } from '#lib/http/request-context.ts'
import { point } from '#lib/points.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import { claimName } from '#lib/services/agents/claim-name.ts'
import { releaseName } from '#lib/services/agents/release-name.ts'
import { StatusInput, setStatus } from '#lib/services/agents/set-status.ts'
import { SyncInput, syncNames } from '#lib/services/agents/sync-names.ts'
import type { Db } from '#lib/services/context.ts'
import { assertOpened, type SessionFacts } from '#lib/services/machines/sessions.ts'
import { answering, type Rate } from './answer.ts'
import { publish } from './bus.ts'
import type { Directories } from './directory.ts'
import { confirmByPong, createDrain, type Drain } from './drain.ts'
import type { Log } from './log.ts'
import { MachineSession, type MachineSocket, type MachineSocketData } from './machine-session.ts'
import { proveMachine } from './prove.ts'
import type { Relay } from './relay.ts'
import type { TraceWriter } from './trace-writer.ts'

export type MachineNamespace = Namespace<MachineEvents, ControlEvents, Record<string, never>, MachineSocketData>

export type Gateway = {
  db: Db
  log: Log
  /** Names this process in the rows of its sessions. */
  node: string
  sessions: Map<string, MachineSession>
  drains: WeakMap<MachineSession, Drain>
  directories: Directories
  relay: Relay
  traces: TraceWriter
  /** Null when the machine was revoked meanwhile. */
  openSession(facts: SessionFacts): Promise<string | null>
  onEnd(session: MachineSession): void
}

/** Only wrong keys count: a daemon with a good one may come back as often as it must. */
const wrongKeys = { name: 'socket.key', count: 60, windowMs: 60_000 }
/** Envelopes a second from one machine; five times what one machine needs in the relay benchmark. */
const relayRate: Rate = { perSecond: 50_000, burst: 100_000 }

export const orgRoom = (orgId: string): string => `org:${orgId}`
export const machineRoom = (machineId: string): string => `machine:${machineId}`

export function serveMachines(namespace: MachineNamespace, gateway: Gateway): void {
  namespace.use((socket, next) => {
    authenticate(socket, gateway).then(
      () => next(),
      (error) => {
        if (!(error instanceof DomainError)) gateway.log.error({ err: error }, 'machine not authenticated')
        const known = error instanceof DomainError ? toWireError(error) : unavailable
        next(Object.assign(new Error(known.message), { data: known }))
      },
    )
  })
  namespace.on('connection', (socket) => {
    void socket.join(machineRoom(socket.data.actor.machineId))
    begin(socket, gateway).catch((error) => {
      if (!(error instanceof DomainError)) gateway.log.error({ err: error }, 'machine session not opened')
      socket.emit('goodbye', error instanceof DomainError ? toWireError(error) : unavailable)
      socket.disconnect(true)
    })
  })
}

const unavailable: WireError = {
  code: 'UNAVAILABLE',
  message: 'The control plane cannot take this machine right now; it is tried again by itself.',
}

async function authenticate(socket: MachineSocket, { db }: Gateway): Promise<void> {
  const address = clientAddress(socket.request) || null
  const auth = ControlAuth.safeParse(socket.handshake.auth)
  if (!auth.success)
    throw new DomainError('BAD_REQUEST', 'The connection lacks the key of its machine: agent-relay link')
  const { v, key, bootId, version } = auth.data
  if (v !== CONTROL_VERSION)
    throw new DomainError(
      'VERSION_UNSUPPORTED',
      `This control plane speaks version ${CONTROL_VERSION} and not ${v}: install the agent-relay that it serves at /agent-relay.tgz`,
    )
  checkRate(wrongKeys, address ?? 'unknown')
  try {
    const { publicKey, ...actor } = await machineOfKey(db, key)
    socket.data = { actor, publicKey, bootId, version, address }
  } catch (error) {
    countUse(wrongKeys, address ?? 'unknown')
    throw error
  }
}

async function begin(socket: MachineSocket, gateway: Gateway): Promise<void> {
  const { db, node, sessions, directories } = gateway
  const latencyMs = await proveMachine(socket, db)
  const { actor, bootId, version, address } = socket.data
  const { machineId, orgId } = actor
  const id = assertOpened(await gateway.openSession({ orgId, machineId, bootId, node, address, version, latencyMs }))
  const ctx = { db, actor, address, requestId: randomUUID() }
  const session = new MachineSession({ id, ctx, socket, latencyMs })
  directories.retain(orgId)
  if (!socket.connected) return gateway.onEnd(session)
  socket.once('disconnect', () => {
    session.released()
    gateway.onEnd(session)
  })
  const directory = await directories.open(orgId)
  await directory.refresh()
  const person = directory.machine(machineId)
  if (!socket.connected) return
  if (!person) throw new DomainError('KEY_REVOKED', 'This machine was revoked. To link it again, run: agent-relay link')
  sessions.get(machineId)?.end(replaced)
  sessions.set(machineId, session)
  listenTo(session, gateway)
  // From here to the end of this tick nothing is awaited: the roster of `welcome` is the base of the first delta.
  socket.emit('welcome', {
    v: CONTROL_VERSION,
    machine: { id: machineId, name: person.name },
    person: person.person,
    roster: directory.roster,
    now: Date.now(),
  })
  void socket.join(orgRoom(orgId))
  publish('roster', { orgId })
  publish('hint', { orgId, kinds: ['machines', 'agents'] })
  const drain = createDrain(session, gateway)
  gateway.drains.set(session, drain)
  confirmByPong(session, gateway)
  drain.wake()
}

const replaced: WireError = {
  code: 'CONFLICT',
  message:
    'This machine connected a second time, and the newer connection goes on. Is a copy of its home in use elsewhere?',
}

function isPlainBatch(frame: unknown): frame is RelayBatch {
  const envelopes = (frame as { envelopes?: unknown } | null)?.envelopes
  const isOneBatch = Array.isArray(envelopes) && envelopes.length > 0 && envelopes.length <= MAX_BATCH
  return isOneBatch && envelopes.every(isPlainEnvelope)
}

function listenTo(session: MachineSession, { directories, relay, traces, log }: Gateway): void {
  const { ctx } = session
  const { actor } = ctx
  const { answer } = answering(session.socket, log)
  answer('heartbeat', z.object({ at: z.number() }), ({ at }) => {
    session.lastBeatAt = Date.now()
    return { at, now: Date.now() }
  })
  answer('agents.sync', SyncInput, (input) => syncNames(ctx, input))
  answer('agents.claim', z.object({ agent: AgentClaim }), async ({ agent }) => ({
    result: await claimName(ctx, agent),
  }))
  answer('agents.status', StatusInput, (input) => setStatus(ctx, input))
  answer('agents.release', z.object({ name: z.string().max(64) }), (input) => releaseName(ctx, input))
  answer('roster.get', z.object({}), async () => (await directories.open(actor.orgId)).roster)
  const carry = async ({ envelopes }: RelayBatch) => {
    const results = await relay.relay(actor, envelopes)
    point('relay.answer')
    return { results }
  }
  answer('relay', RelayBatch, carry, {
    rate: relayRate,
    cost: ({ envelopes }) => envelopes.length,
    isPlain: isPlainBatch,
  })
  answer('return', ReturnBatch, (batch) => relay.giveBack(actor, batch).then(() => ({ done: true })), {
    rate: relayRate,
    cost: ({ acks, gaps, receipts }) => acks.length + gaps.length + receipts.length + 1,
  })
  answer('traces', z.object({ traces: z.array(TraceReport).max(1000) }), async ({ traces: reports }) => {
    await traces.write(reports.map((report) => ({ orgId: actor.orgId, machineId: actor.machineId, report })))
    return { done: true }
  })
}
