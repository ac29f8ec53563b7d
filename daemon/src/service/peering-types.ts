/** What the daemon's other parts may ask of direct links, and what these need of the daemon. */
import type { AgentStatus, CandidateKind } from '@agent-relay/protocol'
import type { Effect } from '../core/turn.ts'
import type { HomePaths } from '../home/paths.ts'
import type { Log } from '../log.ts'
import type { NetworkWatch } from '../peers/network-watch.ts'
import type { PeerSettings } from '../peers/settings.ts'
import type { PeerView } from '../peers/transport.ts'
import type { Store } from '../store/store.ts'
import type { Control } from './control.ts'
import type { Engine } from './engine.ts'
import type { Mail } from './mail.ts'
import type { Sealer } from './seals.ts'

export type PeerPong = {
  via: 'direct' | 'relay'
  /** Null by relay, as `remote` is. */
  kind: CandidateKind | null
  remote: { host: string; port: number } | null
  tookMs: number
  inbox: 'ok' | 'full' | 'broken'
  /** Of the agent that was asked for; null when it is not registered there, or none was. */
  status: AgentStatus | null
}

export type NetFacts = {
  /** Whether this daemon makes direct links, and why not. */
  isOn: boolean
  why: string
  /** On which it takes links; null while it does not listen. */
  port: number | null
  /** In order of preference. `isReachable`: from outside, as the control plane tried it; null when only the other side can tell. */
  candidates: { kind: CandidateKind; host: string; port: number; isReachable: boolean | null; why: string }[]
  /** From where the control plane sees this machine; null when a proxy hides it, or it is unknown. */
  observedAddress: string | null
  mapping: { state: 'off' | 'none' | 'mapped'; external: { host: string; port: number } | null; why: string }
  /** Whether a router keeps its ports, so that two machines behind two routers can meet. Null: it could not be tried. */
  punch: { isPossible: boolean | null; why: string }
}

export type Peering = {
  /** One for each machine that this one lately dealt with; the others go by relay and have none. */
  views(): PeerView[]
  /**
   * One probe by the way that messages to that machine take now. Rejects with NOT_LINKED, NOT_FOUND (no such machine),
   * NOT_CONNECTED (nothing carries it there), VERSION_UNSUPPORTED (it is too old to be asked) or TIMEOUT (5 s).
   */
  ping(machine: string, agent?: string): Promise<PeerPong>
  /** Asks router and control plane anew, within 10 s. Never rejects. */
  netcheck(): Promise<NetFacts>
  /** Effects of the core: those for direct links are carried out, the others say who is talked to. */
  outward(effect: Effect): void
  /** Says again what the core lost with a turn that failed. */
  restore(): void
  /** This machine slept. */
  woke(): void
  stop(): Promise<void>
}

export type PeeringOptions = {
  paths: HomePaths
  log: Log
  store: Store
  engine: () => Engine
  control: Pick<Control, 'trust' | 'onTrust' | 'onSignal' | 'signal' | 'reportLinks' | 'checkReach' | 'behind' | 'link'>
  sealer: Pick<Sealer, 'sealSignal' | 'openSignal'>
  mail: Mail
  settings: PeerSettings
  network: NetworkWatch
}
