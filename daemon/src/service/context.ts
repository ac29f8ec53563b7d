/** What everything around the engine may ask of the running daemon. */
import type { LocalResults, SentMessage } from '@agent-relay/protocol/local'
import type { HomePaths } from '../home/paths.ts'
import type { Log } from '../log.ts'
import type { RunHost } from '../run-host.ts'
import type { Store } from '../store/store.ts'
import type { Control } from './control.ts'
import type { Engine, Settle } from './engine.ts'
import type { Peering } from './peering.ts'
import type { Presence } from './presence.ts'
import type { Receivers } from './receivers.ts'
import type { Running } from './running.ts'

export type Service = {
  readonly paths: HomePaths
  readonly store: Store
  readonly log: Log
  readonly engine: Engine
  readonly receivers: Receivers
  readonly presence: Presence
  readonly runs: Running
  readonly runHost: RunHost
  readonly peering: Pick<Peering, 'views' | 'ping' | 'netcheck'>
  registeringPerson: Promise<LocalResults['register']> | undefined
  /** The person's name on this machine, once they have one. */
  personName(): string | null
  mark(agentKey: string, ids: string[], state: 'injected' | 'seen', reply: Settle): void
  wait(ids: string[], goal: SentMessage['state'], timeoutMs: number, done: (result: LocalResults['wait']) => void): void
  /** Throws NOT_LINKED or NOT_CONNECTED. */
  channels(): ReturnType<Control['channels']>
  status(): LocalResults['status']
  netcheck(): Promise<LocalResults['netcheck']>
  reload(): Promise<void>
  shutdown(): void
  stop(): void
}
