/** A server that speaks the control protocol as far as a test lets it; the real gateway has its own tests with the daemon's link. */
import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Challenge,
  controlProofText,
  type Envelope,
  type Proof,
  type Roster,
  type RosterDelta,
  type RosterMachine,
  type SignedKind,
  SOCKET_PATH,
} from '@agent-relay/protocol'
import { isSigned, type KeyPair, newKeyPair, privateKeyOf, signValue } from '@agent-relay/protocol/crypto'
import { Server, type Socket } from 'socket.io'
import { type ControlLinkOptions, createControlLink } from '../../src/cloud/control-link.ts'
import type { RosterTrust } from '../../src/cloud/roster-trust.ts'

export const roster = (version: number): Roster => ({
  version,
  org: { id: 'o1', slug: 'acme', name: 'Acme' },
  machines: [],
  agents: [],
})
export const delta = (base: number, version: number): RosterDelta => ({
  base,
  version,
  machines: [],
  agents: [],
  removedMachines: [],
  removedAgents: [],
})
export const machine = (id: string, publicKey: string | null): RosterMachine => ({
  ...{ id, name: id, person: 'alice', platform: '', version: '', isOnline: true, lastSeenAt: null },
  publicKey,
})
export const envelope = (seq: number, body = 'hello'): Envelope => ({
  v: 1,
  id: randomUUID(),
  org: 'o1',
  from: { machine: 'm2', agent: 'Bob', epoch: 1 },
  to: { machine: 'm1', agent: 'Alice' },
  stream: 's',
  outboxEpoch: 'e',
  seq,
  ttlMs: 60_000,
  priority: 1,
  ts: 1,
  trace: 't',
  body,
})

export class TestPlane extends EventEmitter {
  readonly http: HttpServer = createServer((_, response) => response.writeHead(404).end())
  readonly io = new Server(this.http, { path: SOCKET_PATH, maxHttpBufferSize: 8 * 1024 * 1024 })
  readonly sockets: Socket[] = []
  readonly batches: Envelope[][] = []
  machineKey = 'ar_live_good'
  control: KeyPair
  /** What a newer or older one does not speak is refused before the greeting. */
  speaks = [1, 2, 3]
  proofs: Proof[] = []
  /** What happens after the connection; a test may replace it. */
  greet: (socket: Socket) => void = (socket) => this.welcome(socket, 1)
  answers: Record<string, (input: never) => unknown> = {
    heartbeat: (beat: { at: number }) => ({ at: beat.at, now: 1 }),
    'agents.sync': ({ agents }: { agents: { name: string }[] }) => ({
      results: agents.map(({ name }) => ({ ok: true, name, epoch: 4 })),
    }),
    'roster.get': () => this.sign('roster', roster(9)),
    relay: ({ envelopes }: { envelopes: Envelope[] }) => {
      this.batches.push(envelopes)
      return { results: envelopes.map(({ id }) => ({ id, state: 'carried' })) }
    },
    return: () => ({ done: true }),
  }

  sign(kind: SignedKind, value: unknown, org = 'o1') {
    return signValue(privateKeyOf('Ed25519', this.control), kind, org, value)
  }

  constructor(control = newKeyPair('Ed25519')) {
    super()
    this.control = control
  }

  async listen(port = 0): Promise<string> {
    this.io.of('/machines').use((socket, next) => {
      this.emit('asked', socket.handshake.auth.v)
      if (this.speaks.includes(socket.handshake.auth.v)) return next()
      next(Object.assign(new Error('no'), { data: { code: 'VERSION_UNSUPPORTED', message: 'Not that one.' } }))
    })
    this.io.of('/machines').on('connection', (socket) => {
      this.sockets.push(socket)
      socket.onAny((event: string, ...args) => {
        const [input, reply] = args as [never, (answer: unknown) => void]
        this.emit(event, input)
        const answer = this.answers[event]
        if (answer !== undefined) reply({ ok: true, value: answer(input) })
      })
      this.greet(socket)
      this.emit('socket', socket)
    })
    this.http.listen(port, '127.0.0.1')
    await once(this.http, 'listening')
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`
  }

  welcome(socket: Socket, version: number): void {
    this.greetWith(socket, roster(version))
  }

  /** `signed`: instead of the roster's own signature. */
  greetWith(socket: Socket, told: Roster, signed: unknown = this.sign('roster', told)): void {
    const challenge: Challenge = { nonce: 'n'.repeat(32), machineId: 'm1', org: 'o1' }
    socket.emit('challenge', challenge, (proof: Proof) => {
      this.proofs.push(proof)
      const { v } = socket.handshake.auth
      const text = controlProofText(challenge, socket.handshake.auth.bootId)
      const isProved = socket.handshake.auth.key === this.machineKey && isSigned(proof.publicKey, text, proof.signature)
      if (!isProved) {
        socket.emit('goodbye', { code: 'KEY_INVALID', message: 'No such key; run: agent-relay link' })
        socket.disconnect(true)
        return
      }
      socket.emit('welcome', {
        v,
        machine: { id: 'm1', name: 'alice-mbp' },
        person: 'alice',
        ...(v >= 3 ? { controlKey: this.control.publicKey, roster: signed } : { roster: told }),
        now: 1,
      })
    })
  }

  async close(): Promise<void> {
    await this.io.close()
  }
}

/** A home's trust, kept in memory. */
export function trustOf(more: Partial<RosterTrust> = {}): RosterTrust {
  let pinned: string | undefined
  return {
    org: 'o1',
    machine: 'm1',
    controlKey: () => pinned,
    known: () => undefined,
    pin(key) {
      pinned = key
    },
    ...more,
  }
}

/** A link whose handlers are events of `seen`, which also keeps them all in `log`. */
export function recordedLink(options: Pick<ControlLinkOptions, 'url' | 'identity'> & Partial<ControlLinkOptions>) {
  const seen = new EventEmitter()
  const log: string[] = []
  const note = (event: string) => (value: unknown) => {
    log.push(event)
    seen.emit(event, value)
  }
  const link = createControlLink({
    key: 'ar_live_good',
    version: '0.1.0',
    bootId: randomUUID(),
    trust: trustOf(),
    seals: () => [],
    agents: () => [],
    random: () => 0,
    on: {
      up: note('up'),
      down: note('down'),
      delta: note('delta'),
      roster: note('roster'),
      deliver: note('deliver'),
      returned: note('returned'),
      claims: note('claims'),
      refused: note('refused'),
      unknown: note('unknown'),
      fresh: note('fresh'),
      signal: note('signal'),
    },
    ...options,
  })
  return { link, log, next: async (event: string) => (await once(seen, event))[0] }
}
