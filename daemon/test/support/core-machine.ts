/** One machine of the core over a real store in memory: events in, what is on disk and the effects out. Others are played by the test. */
import type { Envelope, Roster } from '@agent-relay/protocol'
import type { State } from '../../src/core/state.ts'
import { step } from '../../src/core/step.ts'
import type { Answer, CoreEvent, Effect, Op, Outgoing, Turn } from '../../src/core/turn.ts'
import { openStore } from '../../src/store/store.ts'

const org = { id: 'org', slug: 'acme', name: 'Acme' }
export const ME = 'm-alice'

type Person = { name: string; machine: string; epoch?: number }

/** Alice is here; the others are where they are said to be. */
export const ALICE: Person = { name: 'Alice', machine: ME }
export const BOB: Person = { name: 'Bob', machine: 'm-bob' }
export const CAROL: Person = { name: 'Carol', machine: 'm-carol' }

export function rosterWith(agents: Person[], away: string[] = []): Roster {
  const machines = [...new Set([ME, ...agents.map((agent) => agent.machine)])]
  return {
    version: 1,
    org,
    machines: machines.map((id) => ({
      id,
      name: id.slice(2),
      person: id,
      platform: 'linux',
      version: '0',
      publicKey: null,
      isOnline: !away.includes(id),
      lastSeenAt: null,
    })),
    agents: agents.map(({ name, machine, epoch = 1 }) => ({
      name,
      machine,
      epoch,
      status: 'online',
      project: null,
      client: null,
      model: null,
      person: machine,
      lastSeenAt: null,
    })),
  }
}

export function coreMachine(agents: Person[] = [ALICE, BOB, CAROL]) {
  const store = openStore(':memory:')
  let ids = 0
  let now = 1_000_000
  const entropy = { id: () => uuid(ids++), unit: () => 0.5 }
  let state = recovered()
  let pending: Op[] = []
  /** Every turn's effects, in order, since the last `take`. */
  let effects: Effect[] = []

  function recovered(): State {
    return store.recover({ entropy, hostName: 'host', userName: 'me' })
  }

  function run(...events: CoreEvent[]): Turn {
    const turn = step(state, events, now)
    pending.push(...turn.ops)
    if (turn.mustCommit) flush()
    effects.push(...turn.effects)
    return turn
  }

  function flush(): void {
    store.commit(pending)
    pending = []
  }

  function join(): void {
    run({ type: 'linked', identity: { machine: { id: ME, name: 'alice' }, org, person: 'alice' } })
    run({ type: 'up', roster: rosterWith(agents) })
    const mine = agents.filter((agent) => agent.machine === ME)
    run({ type: 'claims', results: mine.map(({ name, epoch = 1 }) => ({ ok: true, name, epoch })) })
  }

  run({ type: 'linked', identity: { machine: { id: ME, name: 'alice' }, org, person: 'alice' } })
  for (const { name, machine } of agents)
    if (machine === ME)
      run({
        type: 'register',
        reply: undefined,
        facts: { name, project: null, repository: null, model: null, client: null, capabilities: [] },
        tokenHash: 'hash',
        isPerson: false,
      })
  join()
  effects = []

  return {
    store,
    get state() {
      return state
    },
    get now() {
      return now
    },
    run,
    /** Connected to the control plane anew, with every name confirmed. */
    join,
    /** Time passes, and whatever is due on the way is done. */
    pass(ms: number) {
      const end = now + ms
      while (state.wakeAt <= end) {
        now = Math.max(now, state.wakeAt)
        run({ type: 'tick' })
      }
      now = end
    },
    /** A crash and a new start: only what was committed is left. */
    restart() {
      pending = []
      effects = []
      state = recovered()
    },
    flush,
    /** Sends from Alice; the ids of what was queued, or the error. */
    send(to: string, more: Partial<Extract<CoreEvent, { type: 'send' }>> = {}): string[] {
      let ids: string[] = []
      const reply = (answer: Answer) => {
        if (answer.type === 'sent') ids = answer.messages.map((message) => message.id)
        else throw new Error(JSON.stringify(answer))
      }
      const body = more.body ?? 'text'
      const turn = run({ type: 'send', reply, from: 'alice', to, body, sizeBytes: body.length, ...more })
      for (const effect of turn.effects)
        if (effect.type === 'answer') (effect.reply as (answer: Answer) => void)(effect.answer)
      return ids
    },
    /** The effects since the last call, of one type. */
    take<T extends Effect['type']>(type: T): Extract<Effect, { type: T }>[] {
      const taken = effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type)
      effects = effects.filter((effect) => effect.type !== type)
      return taken
    },
    row(id: string) {
      flush()
      return store.read.byId(id)
    },
    inbox(agent = 'alice') {
      flush()
      return store.read.inbox(agent, { after: 0, limit: 1000 })
    },
  }
}

export type CoreMachine = ReturnType<typeof coreMachine>

/** What another machine's agent sends to Alice. */
export function envelope(seq: number, more: Partial<Envelope> = {}): Envelope {
  return {
    v: 1,
    id: uuid(1000 + seq),
    org: org.id,
    from: { machine: BOB.machine, agent: BOB.name, epoch: 1 },
    to: { machine: ME, agent: ALICE.name },
    stream: 'bob>alice@m-alice',
    outboxEpoch: 'bobs-epoch',
    seq,
    ttlMs: 3_600_000,
    priority: 1,
    ts: 0,
    trace: 'trace',
    body: `body ${seq}`,
    ...more,
  }
}

/** Bob's machine acknowledges what it was sent, as it does after its commit. */
export const ackOf = (state: State, upTo: number, to: 'bob' | 'carol' = 'bob') => ({
  stream: `alice>${to}@m-${to}`,
  outboxEpoch: state.outboxEpoch,
  upTo,
  to: ME,
})

export const returnedBy = (
  from: string,
  batch: Partial<Extract<CoreEvent, { type: 'returned' }>['returned']['batch']>,
  known: Extract<CoreEvent, { type: 'returned' }>['known'] = [],
): CoreEvent => ({ type: 'returned', returned: { from, batch: { acks: [], gaps: [], receipts: [], ...batch } }, known })

export const seqs = (messages: Outgoing[]): number[] => messages.map((message) => message.seq)

export const uuid = (n: number): string => `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
