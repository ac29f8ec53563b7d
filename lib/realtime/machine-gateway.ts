/** The namespace `/machines`: from a daemon's first packet to its last. Frames: protocol/src/control.ts. */
import { randomUUID } from 'node:crypto'
import {
  CONTROL_VERSION,
  ControlAuth,
  errorIn,
  OLDEST_CONTROL_VERSION,
  type Proof,
  type RosterMachine,
  rosterIn,
  type SignedWelcome,
  type Welcome,
  type WireError,
} from '@agent-relay/protocol'
import { machineOfKey } from '#lib/auth/machine-key.ts'
import { env } from '#lib/env.ts'
import { DomainError, toWireError } from '#lib/errors.ts'
import { clientAddress } from '#lib/http/request-context.ts'
import { paths } from '#lib/paths.ts'
import { checkRate, countUse } from '#lib/rate-limit.ts'
import type { Ctx, MachineActor } from '#lib/services/context.ts'
import { putSeals } from '#lib/services/machines/put-seals.ts'
import { assertOpened } from '#lib/services/machines/sessions.ts'
import { jumpAbove } from '#lib/services/roster/jump-above.ts'
import { publish } from './bus.ts'
import { cloned } from './clones.ts'
import type { Directory } from './directory.ts'
import { confirmByPong, createDrain } from './drain.ts'
import { type Gateway, type MachineNamespace, machineRoom, orgRoom } from './gateway.ts'
import { listenTo } from './machine-frames.ts'
import { MachineSession, type MachineSocket } from './machine-session.ts'
import { proveMachine } from './prove.ts'

/** Only wrong keys count: a daemon with a good one may come back as often as it must. */
const wrongKeys = { name: 'socket.key', count: 60, windowMs: 60_000 }

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
      const known = error instanceof DomainError ? toWireError(error) : unavailable
      socket.emit('goodbye', errorIn(socket.data.speaks, known))
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
  const { db, log, node, sessions, directories } = gateway
  const { latencyMs, proof } = await proveMachine(socket, db)
  socket.data.publicKey = proof.publicKey
  const { actor, bootId, version, address } = socket.data
  const { machineId, orgId } = actor
  if (gateway.clones.isClone(machineId, bootId)) {
    const other = sessions.get(machineId)
    if (other) log.warn({ org: orgId, machine: machineId }, 'one home is in use on two computers; both are stopped')
    other?.end(cloned)
    throw new DomainError(cloned.code, cloned.message)
  }
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
  if (await takeWord(ctx, proof, directory, gateway)) await directory.refresh()
  const person = directory.machine(machineId)
  if (!socket.connected) return
  if (!person) throw new DomainError('KEY_REVOKED', 'This machine was revoked. To link it again, run: agent-relay link')
  // Found while this one was on its way in.
  if (gateway.clones.isRefused(machineId)) throw new DomainError(cloned.code, cloned.message)
  sessions.get(machineId)?.end(replaced)
  sessions.set(machineId, session)
  listenTo(session, gateway)
  // From here to the end of this tick nothing is awaited: the roster of `welcome` is the base of the first delta.
  socket.emit('welcome', welcomeOf(session, person, directory))
  void socket.join(orgRoom(orgId, session.speaks))
  publish('roster', { orgId })
  publish('hint', { orgId, kinds: ['machines', 'agents'] })
  const drain = createDrain(session, gateway)
  gateway.drains.set(session, drain)
  confirmByPong(session, gateway)
  drain.wake()
  gateway.relay.inbox.tell(ctx.actor)
}

/** What the machine says of itself beside its proof: whether the roster that was read before is older than that now. */
async function takeWord(
  ctx: Ctx<MachineActor>,
  { seals = [], rosterVersion }: Proof,
  { roster, machine }: Directory,
  { db, log }: Gateway,
): Promise<boolean> {
  const { machineId, orgId } = ctx.actor
  let hasChanged = false
  if (rosterVersion && rosterVersion > roster.version) {
    const fields = { org: orgId, machine: machineId, seen: rosterVersion, ours: roster.version }
    const outcome = await jumpAbove(db, orgId, rosterVersion)
    hasChanged = outcome !== 'refused'
    if (outcome === 'jumped') {
      log.warn(
        fields,
        'a machine has seen a newer roster than the database knows, which was restored from a backup then: versions go on above it; revoke again what was revoked since',
      )
      publish('roster', { orgId })
    } else if (outcome === 'refused')
      log.warn(
        fields,
        'a machine says that it has seen a much newer roster than the database knows; it will not believe this one',
      )
  }
  if (seals.length === 0 || JSON.stringify(seals) === JSON.stringify(machine(machineId)?.seals)) return hasChanged
  await putSeals(ctx, seals)
  return true
}

function welcomeOf(session: MachineSession, { id, name, person }: RosterMachine, directory: Directory) {
  const { speaks } = session
  const usual = { v: speaks, machine: { id, name }, person }
  const now = Date.now()
  if (speaks < 3) return { ...usual, roster: rosterIn(speaks, directory.roster), now } satisfies Welcome
  return { ...usual, now, controlKey: directory.controlKey, roster: directory.signed() } satisfies SignedWelcome
}

const replaced: WireError = {
  code: 'CONFLICT',
  message:
    'This machine connected a second time, and the newer connection goes on. Is a copy of its home in use elsewhere?',
}
