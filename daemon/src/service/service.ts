/** The running daemon: the engine and everybody around it, told of its effects and asking it things. */
import { hostname, userInfo } from 'node:os'
import type { LocalResults } from '@agent-relay/protocol/local'
import type { Entropy } from '../core/state.ts'
import type { Effect } from '../core/turn.ts'
import { machineName } from '../core/words.ts'
import type { HomePaths } from '../home/paths.ts'
import type { Log } from '../log.ts'
import { point } from '../points.ts'
import type { RunHost } from '../run-host.ts'
import { toMessage } from '../store/reader.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from './clock.ts'
import type { Service } from './context.ts'
import { damageReport } from './damage.ts'
import { createEngine, type Engine, type Settle } from './engine.ts'
import { newId } from './ids.ts'
import { createPresence } from './presence.ts'
import { createReceivers } from './receivers.ts'
import { createRunning } from './running.ts'
import { sentView } from './views.ts'
import { createWaits } from './waits.ts'

/** The effects that go to the control plane; without a link nobody takes them. */
type Outward = (effect: Effect) => void

type Options = {
  paths: HomePaths
  store: Store
  log: Log
  runHost: RunHost
  outward: Outward
  /** After the core's state was built anew: say again what the link knows. */
  restored: () => void
  channels: Service['channels']
  peering: Service['peering']
  status: () => LocalResults['status']
  netcheck: () => Promise<LocalResults['netcheck']>
  reload: () => Promise<void>
  shutdown: () => void
  /** This machine's own when not given. */
  clock?: Clock
  entropy?: Entropy
}

export function createService(options: Options): Service {
  const {
    paths,
    store,
    log,
    runHost,
    outward,
    channels,
    peering,
    status,
    netcheck,
    reload,
    shutdown,
    clock,
    entropy = ownEntropy,
  } = options
  const receivers = createReceivers(() => engine)
  const presence = createPresence((agent, isOn) => engine.submit({ type: 'presence', agent, isOn }))
  const waits = createWaits()
  let running: Engine | undefined
  const engine: Engine = createEngine({
    store,
    log,
    clock,
    recover() {
      const before = store.damage()?.at
      const facts = {
        entropy,
        hostName: hostName(),
        userName: userName(),
        now: (running ?? clock)?.now() ?? Date.now(),
      }
      const state = store.recover(facts, running?.state())
      const report = damageReport(store)
      if (report !== undefined && (running === undefined || store.damage()?.at !== before)) log.error(report)
      return state
    },
    perform,
    restored() {
      presence.restore()
      receivers.restore()
      options.restored()
    },
  })

  running = engine
  store.onDamage((reason) => engine.rebuild(reason))

  function perform(effects: Effect[]): void {
    for (const effect of effects) {
      point('effect.next')
      switch (effect.type) {
        case 'answer':
          ;(effect.reply as Settle)(effect.answer)
          break
        case 'deliver':
          deliver(effect)
          break
        case 'progress':
          if (effect.isHearsay) hear(effect.id)
          else waits.progress(effect.id, effect.state)
          outward(effect)
          break
        case 'log':
          log[effect.level](effect.text)
          break
        case 'renamed':
          presence.rename(effect.from, effect.to.toLowerCase())
          receivers.rename(effect.from, effect.to.toLowerCase())
          break
        default:
          outward(effect)
      }
    }
  }

  /** Whoever waits for this message goes by what its row says once that is written. */
  function hear(id: string): void {
    if (!waits.has(id)) return
    engine.afterCommit(() => {
      const row = store.read.byId(id)
      if (row !== undefined) waits.progress(id, row.state)
    })
  }

  function deliver(effect: Extract<Effect, { type: 'deliver' }>): void {
    const receiver = receivers.current(effect.agent)
    const row = receiver && engine.take(effect.n)
    if (row === undefined) return
    receiver?.take(toMessage(row, machineName(engine.state(), row.fromMachine)), effect.isRepeat)
  }

  return {
    paths,
    store,
    log,
    engine,
    receivers,
    presence,
    runs: createRunning(),
    runHost,
    registeringPerson: undefined,
    personName() {
      for (const agent of engine.state().agents.values())
        if (agent.isPerson && agent.claim !== 'refused') return agent.name
      return null
    },
    mark(agentKey, ids, state, reply) {
      point('mark.received')
      const waiting = engine.state().agents.get(agentKey)?.waiting
      const known = ids
        .filter((id) => waiting?.has(id) !== true)
        .flatMap((id) => store.read.inHeader(id, agentKey) ?? [])
      engine.submit({ type: 'mark', reply, agent: agentKey, ids, state, known })
    },
    wait(ids, goal, timeoutMs, done) {
      engine.afterCommit(() => {
        const rows = ids.map((id) => store.read.byId(id))
        const known = new Map(rows.flatMap((row) => (row === undefined ? [] : [[row.id, row.state] as const])))
        waits.add(known, goal, timeoutMs, (isReached) =>
          engine.afterCommit(() => {
            const messages = ids.flatMap((id) => {
              const row = store.read.byId(id)
              return row === undefined ? [] : [sentView(engine.state(), row, engine.now())]
            })
            done({ messages, isReached: isReached && messages.every((message) => message.state !== 'failed') })
          }),
        )
      })
    },
    channels,
    peering,
    status,
    netcheck,
    reload,
    shutdown,
    stop() {
      waits.stop()
      engine.stop()
    },
  }
}

const ownEntropy: Entropy = { id: newId, unit: Math.random }

const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    // A user id without an entry in the password file, as in some containers.
    return 'me'
  }
}

const hostName = (): string => hostname().split('.')[0] || 'this-machine'
