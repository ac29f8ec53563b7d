/** Two cores with real stores and a network of this file between them: it loses, repeats, reorders, and the machines crash. */
import type { Envelope, Returned, Roster } from '@agent-relay/protocol'
import type { State } from '../src/core/state.ts'
import { step } from '../src/core/step.ts'
import type { Answer, CoreEvent, Effect, Op, Outgoing } from '../src/core/turn.ts'
import { openStore, type Store } from '../src/store/store.ts'

const org = { id: 'org', slug: 'acme', name: 'Acme' }
const NAMES = { a: 'Alice', b: 'Bob' } as const
export type Side = keyof typeof NAMES
export type Crash = 'none' | 'before-commit' | 'after-commit'

type Frame = { to: Side; event: CoreEvent; isDirect?: true }

export type Machine = {
  side: Side
  store: Store
  state: State
  pending: Op[]
  crash: Crash
  isUp: boolean
}

/** Everything of it follows from `seed` and the calls made. */
export function twoMachines(seed: number) {
  const random = mulberry(seed)
  let now = 1_000_000
  let ids = 0
  let frames: Frame[] = []
  let isLinked = false
  /** The ids of messages that somebody was told are queued, in order, by sending side. */
  const queued: Record<Side, string[]> = { a: [], b: [] }
  const entropy = { id: (at: number) => uuid(at, ids++), unit: random }
  const machines = { a: make('a'), b: make('b') }

  function make(side: Side): Machine {
    const store = openStore(':memory:')
    const machine: Machine = { side, store, state: recovered(store), pending: [], crash: 'none', isUp: false }
    return machine
  }

  function recovered(store: Store): State {
    return store.recover({ entropy, hostName: 'host', userName: 'me' })
  }

  const other = (side: Side): Side => (side === 'a' ? 'b' : 'a')

  function turn(machine: Machine, event: CoreEvent): void {
    const result = step(machine.state, [event], now)
    machine.pending.push(...result.ops)
    if (machine.crash === 'before-commit') {
      restart(machine)
      return
    }
    if (result.mustCommit) {
      machine.store.commit(machine.pending)
      machine.pending = []
    }
    if (machine.crash === 'after-commit') {
      restart(machine)
      return
    }
    for (const effect of result.effects) perform(machine, effect)
  }

  function restart(machine: Machine): void {
    machine.crash = 'none'
    machine.pending = []
    machine.state = recovered(machine.store)
    machine.isUp = false
    // What was on its way to it on its old connection is gone with that.
    frames = frames.filter((frame) => frame.to !== machine.side)
    unlink()
  }

  /** The direct link between the two; what is on it is lost with it. */
  function link(): void {
    if (isLinked) return
    isLinked = true
    // The first may crash on hearing of it.
    for (const side of ['a', 'b'] as const)
      if (isLinked) turn(machines[side], { type: 'peer', machine: other(side), isUp: true })
  }

  function unlink(): void {
    if (!isLinked) return
    isLinked = false
    frames = frames.filter((frame) => !frame.isDirect)
    for (const side of ['a', 'b'] as const) turn(machines[side], { type: 'peer', machine: other(side), isUp: false })
  }

  function perform(machine: Machine, effect: Effect): void {
    const { side } = machine
    if (effect.type === 'answer') (effect.reply as (answer: Answer) => void)(effect.answer)
    // Neither says anything that the other has to wonder about.
    else if (effect.type === 'log') throw new Error(effect.text)
    else if (effect.type === 'relay') carry(machine, effect.messages)
    else if (effect.type === 'direct')
      for (const message of effect.messages)
        frames.push({
          to: other(side),
          event: { type: 'deliver', envelopes: [envelopeOf(machine, message)], peer: side },
          isDirect: true,
        })
    else if (effect.type === 'directReturn')
      frames.push({
        to: other(side),
        event: { type: 'returned', returned: { from: side, batch: effect.batch }, known: [] },
        isDirect: true,
      })
    else if (effect.type === 'return') {
      const returned: Returned = { from: side, batch: effect.batch }
      frames.push({ to: other(side), event: { type: 'returned', returned, known: [] } })
    }
  }

  function carry(machine: Machine, messages: Outgoing[]): void {
    const envelopes = messages.map((message) => envelopeOf(machine, message))
    // Each on its own, so that the network can take them apart.
    for (const envelope of envelopes)
      frames.push({ to: other(machine.side), event: { type: 'deliver', envelopes: [envelope] } })
    if (random() < 0.3)
      frames.push({
        to: machine.side,
        event: {
          type: 'relayed',
          ids: envelopes.map((envelope) => envelope.id),
          results: envelopes.map((envelope) => ({ id: envelope.id, state: 'stored' as const })),
        },
      })
  }

  function envelopeOf(machine: Machine, message: Outgoing): Envelope {
    const row = machine.store.read.message(message.n)
    return {
      v: 1,
      id: row?.id ?? uuid(0, ids++),
      org: org.id,
      from: { machine: machine.side, agent: NAMES[machine.side], epoch: message.epoch },
      to: { machine: message.machine, agent: row?.toAgent ?? NAMES[other(machine.side)] },
      stream: message.stream,
      outboxEpoch: machine.state.outboxEpoch,
      seq: message.seq,
      ttlMs: message.ttlMs,
      priority: 1,
      ts: 0,
      trace: 'trace',
      body: message.isVoid ? '' : (row?.body ?? ''),
      ...(message.isVoid && { isVoid: true as const }),
    }
  }

  const roster = (): Roster => ({
    version: 1,
    org,
    machines: (['a', 'b'] as const).map((id) => ({
      id,
      name: `machine-${id}`,
      person: id,
      platform: 'linux',
      version: '0',
      publicKey: null,
      isOnline: true,
      lastSeenAt: null,
    })),
    agents: (['a', 'b'] as const).map((id) => ({
      name: NAMES[id],
      machine: id,
      epoch: 1,
      status: 'online',
      project: null,
      client: null,
      model: null,
      person: id,
      lastSeenAt: null,
    })),
  })

  function up(machine: Machine): void {
    if (machine.isUp) return
    machine.isUp = true
    const identity = { machine: { id: machine.side, name: `machine-${machine.side}` }, org, person: machine.side }
    turn(machine, { type: 'linked', identity })
    if (machine.isUp) turn(machine, { type: 'up', roster: roster() })
    if (machine.isUp) turn(machine, { type: 'claims', results: [{ ok: true, name: NAMES[machine.side], epoch: 1 }] })
  }

  function tick(ms: number): void {
    now += ms
    for (const machine of Object.values(machines)) if (machine.state.wakeAt <= now) turn(machine, { type: 'tick' })
  }

  /** Delivers one frame, anywhere in the queue; sometimes it stays there too, or is lost. */
  function network(pick: number, fate: 'ok' | 'twice' | 'lost'): void {
    if (frames.length === 0) return
    const at = Math.floor(pick * frames.length) % frames.length
    const frame = frames[at] as Frame
    if (fate !== 'twice') frames.splice(at, 1)
    if (fate === 'lost' || !(frame.isDirect ? isLinked : machines[frame.to].isUp)) return
    turn(machines[frame.to], frame.event)
  }

  function send(side: Side, ttlMs?: number): void {
    turn(machines[side], {
      type: 'send',
      from: NAMES[side].toLowerCase(),
      to: NAMES[other(side)],
      body: `message of ${side}`,
      sizeBytes: 10,
      ttlMs,
      reply: (answer: Answer) => {
        if (answer.type === 'sent') queued[side].push(answer.id)
      },
    })
  }

  /** No more faults: everything arrives in its order until nothing moves any more. */
  function settle(hours = 1): void {
    for (const machine of Object.values(machines)) machine.crash = 'none'
    for (let i = 0; i < hours * 360; i++) {
      for (const machine of Object.values(machines)) up(machine)
      for (let n = 0; frames.length > 0 && n < 5_000; n++) network(0, 'ok')
      tick(10_000)
    }
  }

  function register(machine: Machine): void {
    up(machine)
    turn(machine, {
      type: 'register',
      reply: () => undefined,
      facts: {
        name: NAMES[machine.side],
        project: null,
        repository: null,
        model: null,
        client: null,
        capabilities: [],
      },
      tokenHash: 'hash',
      isPerson: false,
    })
    turn(machine, { type: 'claims', results: [{ ok: true, name: NAMES[machine.side], epoch: 1 }] })
  }
  for (const machine of Object.values(machines)) register(machine)

  return {
    machines,
    queued,
    send,
    network,
    tick,
    settle,
    up: (side: Side) => up(machines[side]),
    link,
    unlink,
    /** Its disk is gone; the daemon starts with an empty one. */
    wipe(side: Side) {
      const machine = machines[side]
      machine.store = openStore(':memory:')
      restart(machine)
      register(machine)
    },
    down(side: Side) {
      const machine = machines[side]
      if (!machine.isUp) return
      machine.isUp = false
      frames = frames.filter((frame) => frame.to !== side || frame.isDirect)
      turn(machine, { type: 'down' })
    },
    crash(side: Side, crash: Crash) {
      if (crash === 'none') restart(machines[side])
      else machines[side].crash = crash
    },
    /** What this machine's agent got from the other one, in the order of its inbox. */
    inboxOf(side: Side): string[] {
      return machines[side].store.read
        .inbox(NAMES[side].toLowerCase(), { after: 0, limit: 1000 })
        .filter((row) => row.way === 'in')
        .map((row) => row.id)
    },
    stateOf: (side: Side, id: string) => {
      machines[side].store.commit(machines[side].pending.splice(0))
      return machines[side].store.read.byId(id)?.state
    },
    close() {
      for (const machine of Object.values(machines)) machine.store.close()
    },
  }
}

function mulberry(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), a | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const uuid = (at: number, n: number): string =>
  `${Math.floor(at).toString(16).padStart(8, '0').slice(-8)}-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
