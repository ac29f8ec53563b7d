/** What status, ping and netcheck ask of the link manager. */
import type { AgentStatus, CandidateKind } from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'
import type { PeerView } from '../peers/transport.ts'

export type PeerPong = {
  via: 'direct' | 'relay'
  kind: CandidateKind | null
  remote: { host: string; port: number } | null
  tookMs: number
  inbox: 'ok' | 'full' | 'broken'
  status: AgentStatus | null
}

export type NetFacts = {
  isOn: boolean
  why: string
  port: number | null
  candidates: { kind: CandidateKind; host: string; port: number; isReachable: boolean | null; why: string }[]
  observedAddress: string | null
  mapping: { state: 'off' | 'none' | 'mapped'; external: { host: string; port: number } | null; why: string }
  punch: { isPossible: boolean | null; why: string }
}

export type Peering = {
  views(): PeerView[]
  ping(machine: string, agent?: string): Promise<PeerPong>
  netcheck(): Promise<NetFacts>
}

/** A machine without a link manager: everything goes by relay, and nobody can be pinged. */
export const relayOnly = (): Peering => ({
  views: () => [],
  ping: () => Promise.reject(new RelayError('NOT_CONNECTED', WHY)),
  netcheck: () =>
    Promise.resolve({
      ...{ isOn: false, why: WHY, port: null, candidates: [], observedAddress: null },
      mapping: { state: 'off', external: null, why: WHY },
      punch: { isPossible: null, why: WHY },
    }),
})

const WHY = 'this machine has no link manager'
