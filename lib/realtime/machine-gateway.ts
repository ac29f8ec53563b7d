/** The namespace `/machines`: from a daemon's first packet to its last. Frames: protocol/src/control.ts. */
import { randomUUID } from 'node:crypto'
import {
  ChannelHistoryQuery,
  ChannelMembership,
  CONTROL_VERSION,
  ControlAuth,
  type ControlEvents,
  isPlainBatch,
  type MachineEvents,
  machineFrames,
  OLDEST_CONTROL_VERSION,
  RelayBatch,
  ReturnBatch,
  rosterIn,
  type WireError,
} from '@agent-relay/protocol'
import type { Namespace } from 'socket.io'
import { machineOfKey } from '#lib/auth/machine-key.ts'
import { env } from '#lib/env.ts'
import { DomainError, toWireError } from '#lib/errors.ts'
import { clientAddress } from '#lib/http/request-context.ts'
import { paths } from '#lib/paths.ts'
import { point } from '#lib/points.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import { claimName } from '#lib/services/agents/claim-name.ts'
import { releaseName } from '#lib/services/agents/release-name.ts'
import { setStatus } from '#lib/services/agents/set-status.ts'
import { syncNames } from '#lib/services/agents/sync-names.ts'
import { joinAsAgent, leaveAsAgent } from '#lib/services/channels/agent-member.ts'
import { readHistory } from '#lib/services/channels/read-history.ts'
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

/** The machines of an organization that speak this version. */
export const orgRoom = (orgId: string, version: number): string => `org:${orgId}:${version}`
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
  // Before the rest: a version that nobody here knows may have other fields.
  const asked = ControlAuth.pick({ v: true }).safeParse(socket.handshake.auth)
  const isSpoken = !asked.success || (asked.data.v >= OLDEST_CONTROL_VERSION && asked.data.v <= CONTROL_VERSION)
  if (!isSpoken) throw unsupported(asked.data.v)
  const auth = ControlAuth.safeParse(socket.handshake.auth)
  if (!auth.success)
    throw new DomainError('BAD_REQUEST', 'The connection lacks the key of its machine: agent-relay link')
  const { v, key, bootId, version } = auth.data
  checkRate(wrongKeys, address ?? 'unknown')
  try {
    const { publicKey, ...actor } = await machineOfKey(db, key)
    socket.data = { actor, publicKey, bootId, speaks: v, version, address }
  } catch (error) {
    countUse(wrongKeys, address ?? 'unknown')
    throw error
  }
}

const unsupported = (v: number): DomainError => {
  const install = `npm install --global ${new URL(paths.api.package(), env().PUBLIC_URL).href}`
  return new DomainError(
    'VERSION_UNSUPPORTED',
    `This control plane speaks versions ${OLDEST_CONTROL_VERSION} to ${CONTROL_VERSION} and not ${v}. Install the agent-relay that it serves: ${install}`,
    { details: { oldest: OLDEST_CONTROL_VERSION, newest: CONTROL_VERSION } },
  )
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
    v: session.speaks,
    machine: { id: machineId, name: person.name },
    person: person.person,
    roster: rosterIn(session.speaks, directory.roster),
    now: Date.now(),
  })
  void socket.join(orgRoom(orgId, session.speaks))
  publish('roster', { orgId })
  publish('hint', { orgId, kinds: ['machines', 'agents'] })
  const drain = createDrain(session, gateway)
  gateway.drains.set(session, drain)
  confirmByPong(session, gateway)
  drain.wake()
  gateway.relay.inbox.tell(ctx.actor)
}

const replaced: WireError = {
  code: 'CONFLICT',
  message:
    'This machine connected a second time, and the newer connection goes on. Is a copy of its home in use elsewhere?',
}

function listenTo(session: MachineSession, { directories, relay, traces, log }: Gateway): void {
  const { ctx } = session
  const { actor } = ctx
  const { answer } = answering(session.socket, log, session.speaks)
  answer('heartbeat', machineFrames.heartbeat.input, ({ at }) => {
    session.lastBeatAt = Date.now()
    return { at, now: Date.now() }
  })
  answer('agents.sync', machineFrames['agents.sync'].input, (input) => syncNames(ctx, input))
  answer('agents.claim', machineFrames['agents.claim'].input, async ({ agent }) => ({
    result: await claimName(ctx, agent),
  }))
  answer('agents.status', machineFrames['agents.status'].input, (input) => setStatus(ctx, input))
  answer('agents.release', machineFrames['agents.release'].input, (input) => releaseName(ctx, input))
  // The delta goes out before the answer: whoever has joined can address the channel at once.
  const withRoster = async <T>(value: T): Promise<T> => {
    await (await directories.open(actor.orgId)).refresh()
    return value
  }
  answer('channels.join', ChannelMembership, async (input) => withRoster(await joinAsAgent(ctx, input)))
  answer('channels.leave', ChannelMembership, async (input) => withRoster(await leaveAsAgent(ctx, input)))
  answer('channels.history', ChannelHistoryQuery, (input) => readHistory(ctx, input))
  answer('roster.get', machineFrames['roster.get'].input, async () =>
    rosterIn(session.speaks, (await directories.open(actor.orgId)).roster),
  )
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
    cost: ({ acks, gaps, receipts, heard = [] }) => acks.length + gaps.length + receipts.length + heard.length + 1,
  })
  answer('traces', machineFrames.traces.input, async ({ traces: reports }) => {
    await traces.write(reports.map((report) => ({ orgId: actor.orgId, machineId: actor.machineId, report })))
    return { done: true }
  })
}
