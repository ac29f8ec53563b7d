/** Machines for tests: linked by the real verbs, speaking the control protocol over real sockets. */
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type AgentClaim,
  type Answer,
  CONTROL_VERSION,
  type ControlEvents,
  controlProofText,
  type Envelope,
  MACHINES_NAMESPACE,
  type MachineEvents,
  type Returned,
  Roster,
  RosterDelta,
  type SealKey,
  type SignalIn,
  Signed,
  type SignedKind,
  type SignedWelcome,
  SOCKET_PATH,
  sealKeyText,
  type Welcome,
} from '@agent-relay/protocol'
import { type KeyPair, newKeyPair, readSigned, signText } from '@agent-relay/protocol/crypto'
import { io, type Socket } from 'socket.io-client'
import { serveReflection } from '#lib/http/reflection.ts'
import { paths } from '#lib/paths.ts'
import { type Realtime, startRealtime } from '#lib/realtime/index.ts'
import type { Log } from '#lib/realtime/log.ts'
import type { Db, UserActor } from '#lib/services/context.ts'
import { createMachineKey } from '#lib/services/machines/create-machine-key.ts'
import { nextRowId } from '#lib/services/messages/row-id.ts'
import { contextOf } from './people.ts'

export type LinkedMachine = { id: string; orgId: string; name: string; key: string; identity: Identity }
export type Identity = { publicKey: string; privateKey: KeyObject }

export function makeIdentity(): Identity {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey: publicKey.export({ format: 'jwk' }).x as string, privateKey }
}

/** A machine of this person, its identity not bound yet. */
export async function linkMachine(db: Db, owner: UserActor, orgId: string, name: string): Promise<LinkedMachine> {
  const { key, machine } = await createMachineKey(contextOf(db, owner), { org: orgId, name })
  return { id: machine.id, orgId, name: machine.name, key, identity: makeIdentity() }
}

/** A seal key of this machine, with what the machine says of it. */
export function makeSealKey({ id, orgId, identity }: LinkedMachine): { pair: KeyPair; seal: SealKey } {
  const pair = newKeyPair('X25519')
  const signature = signText(identity.privateKey, sealKeyText(orgId, id, pair.publicKey))
  return { pair, seal: { key: pair.publicKey, signature } }
}

/** Errors that nobody expected are shown; the rest of the log is not. */
export const testLog: Log = {
  info: () => undefined,
  debug: () => undefined,
  warn: (fields, message) => console.warn(message, fields),
  error: (fields, message) => console.error(message, fields),
}

type GatewayOptions = { port?: number; pingIntervalMs?: number; connectTimeoutMs?: number; log?: Log }
export type TestGateway = {
  url: string
  realtime: Realtime
  /** TCP connections that are open. */
  connections(): Promise<number>
  close(): Promise<void>
}

/** A gateway on a free port (or on `port`, to come back where another was). */
export async function startGateway(
  db: Db,
  { port = 0, log = testLog, ...options }: GatewayOptions = {},
): Promise<TestGateway> {
  const http: Server = createServer((request, response) => {
    if (request.url === paths.api.reflect()) serveReflection(request, response)
    else response.writeHead(404).end()
  })
  const realtime = await startRealtime({ httpServer: http, log, db, ...options })
  http.listen(port, '127.0.0.1')
  await once(http, 'listening')
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const close = async () => {
    await realtime.close()
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  }
  const connections = () =>
    new Promise<number>((resolve, reject) =>
      http.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  return { url, realtime, connections, close }
}

export type MachineClient = {
  socket: Socket<ControlEvents, MachineEvents>
  machine: LinkedMachine
  /** With the roster read. */
  welcome: Welcome
  /** That signs for the organization; empty of an older version. */
  controlKey: string
  /** Everything delivered so far. */
  delivered: Envelope[]
  /** Every return frame so far. */
  returned: Returned[]
  /** Every signal so far. */
  signals: SignalIn[]
  /** The roster as the deltas have made it. */
  roster: Roster
  /** Resolves once `condition` holds; looks again at every frame that comes. */
  until(condition: () => boolean): Promise<void>
  ask<E extends keyof MachineEvents>(event: E, input: Parameters<MachineEvents[E]>[0]): Promise<Answer<unknown>>
  /** What the control key signed. Throws when it did not, for this kind and organization. */
  read(kind: SignedKind, signed: unknown): unknown
  claim(name: string, epoch?: number | null): Promise<number>
  close(): Promise<void>
}

type ConnectOptions = {
  identity?: Identity
  key?: string
  /** Answers the challenge; `null` never does. */
  prove?: null
  origin?: string
  /** The version that is asked for. */
  v?: number
  /** Names the run of the daemon; another one each time by default. */
  bootId?: string
  /** What is said beside the proof, by a program that is new enough. */
  says?: { seals?: SealKey[]; rosterVersion?: number | null }
  headers?: Record<string, string>
}

export function dial(
  url: string,
  machine: LinkedMachine,
  options: ConnectOptions = {},
): Socket<ControlEvents, MachineEvents> {
  const { identity = machine.identity, key = machine.key, prove, bootId = randomUUID(), says = {}, headers } = options
  const socket: Socket<ControlEvents, MachineEvents> = io(url + MACHINES_NAMESPACE, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: { v: options.v ?? CONTROL_VERSION, key, bootId, version: '0.0.1' },
    extraHeaders: { ...headers, ...(options.origin && { origin: options.origin }) },
  })
  if (prove !== null)
    socket.on('challenge', (challenge, reply) => {
      const signature = signText(identity.privateKey, controlProofText(challenge, bootId))
      reply({ signature, publicKey: identity.publicKey, ...says })
    })
  return socket
}

/** Connects and waits for `welcome`; rejects with the server's last word. */
export async function connectMachine(
  url: string,
  machine: LinkedMachine,
  options: ConnectOptions = {},
): Promise<MachineClient> {
  const socket = dial(url, machine, options)
  const returned: Returned[] = []
  let changed: () => void = () => undefined
  socket.on('returned', (frame) => {
    returned.push(frame)
    changed()
  })
  const greeting = await new Promise<{ of: Welcome | SignedWelcome }>((resolve, reject) => {
    socket.once('welcome', (of) => resolve({ of }))
    socket.once('goodbye', reject)
    socket.once('connect_error', (error) => reject((error as { data?: unknown }).data ?? error))
  }).catch((error) => {
    socket.disconnect()
    throw error
  })
  const { of: told } = greeting
  const controlKey = 'controlKey' in told ? told.controlKey : ''
  const read = (kind: SignedKind, signed: unknown): unknown => {
    const value = readSigned(controlKey, kind, machine.orgId, Signed.parse(signed))
    if (value === undefined) throw new Error(`a ${kind} that the control key did not sign`)
    return value
  }
  const welcome: Welcome = 'controlKey' in told ? { ...told, roster: Roster.parse(read('roster', told.roster)) } : told
  const delivered: Envelope[] = []
  const signals: SignalIn[] = []
  const client: MachineClient = {
    socket,
    machine,
    welcome,
    controlKey,
    read,
    delivered,
    signals,
    returned,
    roster: welcome.roster,
    async until(condition) {
      while (!condition())
        await new Promise<void>((resolve) => {
          changed = resolve
        })
    },
    ask: (event, input) =>
      new Promise((resolve) => (socket as Socket).emit(event, input, (answer: Answer<unknown>) => resolve(answer))),
    async claim(name, epoch = null) {
      const answer = await client.ask('agents.claim', { agent: claimOf(name, epoch) })
      if (!answer.ok) throw answer.error
      const { result } = answer.value as { result: { ok: true; epoch: number } | { ok: false; error: unknown } }
      if (!result.ok) throw result.error
      return result.epoch
    },
    async close() {
      socket.disconnect()
    },
  }
  socket.on('deliver', ({ envelopes }) => {
    delivered.push(...envelopes)
    changed()
  })
  socket.on('signal', (signal) => {
    signals.push(signal)
    changed()
  })
  socket.on('roster', (frame) => {
    const isSigned = welcome.v >= 3
    if (isSigned !== 'text' in frame) throw new Error(`a delta in the form of another version than ${welcome.v}`)
    const delta = RosterDelta.parse(isSigned ? read('delta', frame) : frame)
    if (delta.base !== client.roster.version) throw new Error(`delta of ${delta.base} on ${client.roster.version}`)
    const gone = new Set(delta.removedMachines)
    const machineIds = new Set(delta.machines.map(({ id }) => id))
    const names = new Set([...delta.removedAgents, ...delta.agents.map(({ name }) => name.toLowerCase())])
    client.roster = {
      ...client.roster,
      version: delta.version,
      machines: [...client.roster.machines.filter(({ id }) => !gone.has(id) && !machineIds.has(id)), ...delta.machines],
      agents: [...client.roster.agents.filter(({ name }) => !names.has(name.toLowerCase())), ...delta.agents],
      ...(delta.people && { people: delta.people }),
      ...(delta.channels && { channels: delta.channels }),
      ...(delta.archive !== undefined && { archive: delta.archive }),
    }
    changed()
  })
  return client
}

export const claimOf = (name: string, epoch: number | null = null): AgentClaim => ({
  name,
  epoch,
  status: 'online',
  project: null,
  repository: null,
  client: null,
  model: null,
  capabilities: [],
})

/** A message number `seq` from one agent to another; streams are named after both. */
export function envelopeOf(
  from: { machine: LinkedMachine; agent: string; epoch: number },
  to: { machine: string; agent: string },
  seq: number,
  rest: Partial<Envelope> = {},
): Envelope {
  return {
    v: 1,
    id: nextRowId(),
    org: from.machine.orgId,
    from: { machine: from.machine.id, agent: from.agent, epoch: from.epoch },
    to,
    stream: `${from.agent}>${to.agent}`,
    outboxEpoch: 'e1',
    seq,
    ttlMs: 60_000,
    priority: 1,
    ts: Date.now(),
    trace: 'test',
    body: `message ${seq}`,
    ...rest,
  }
}
