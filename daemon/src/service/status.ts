/** `agent-relay status`: what is connected, what waits, and what a person should do about it. */
import { DAY_MS } from '@agent-relay/protocol'
import type { RosterView, StatusView } from '@agent-relay/protocol/local'
import { isRosterHard, isRosterSoft, rosterAgeMs } from '../core/freshness.ts'
import { type State, selfId } from '../core/state.ts'
import { ago, span } from '../core/words.ts'
import type { PeerView } from '../peers/transport.ts'
import type { Store } from '../store/store.ts'
import type { Control } from './control.ts'
import { count, damageReport } from './damage.ts'
import type { SealingView } from './seals.ts'
import { rosterHealth } from './trust.ts'
import { machineViews } from './views.ts'

type Facts = {
  version: string
  home: string
  uptimeMs: number
  state: State
  store: Store
  control: Control
  links: readonly PeerView[]
  /** As the sealer sees it; null while this machine is linked to nothing. */
  sealing: Sealing | null
  now: number
}

/** `off`: this daemon was told to seal nothing. */
type Sealing = Omit<SealingView, 'mode'> & { mode: SealingView['mode'] | 'off' }

export function statusView(facts: Facts): StatusView {
  const { version, home, uptimeMs, state, store, control, links, sealing, now } = facts
  const link = control.link()
  const view = control.view()
  const failed = store.read.failedSince(now - DAY_MS)
  const roster = rosterView(state, now)
  const trouble = rosterHealth(state, now)
  return {
    version,
    pid: process.pid,
    home,
    uptimeMs,
    linked: link === null ? null : { url: link.url, org: link.org.slug, orgName: link.org.name, person: link.person },
    control: view,
    machines: machineViews(state, { links, controlMs: view.latencyMs, now }),
    queued: state.outCount,
    failed,
    health: [
      ...health({ state, store, control: view, failed, now }),
      ...(trouble === null ? [] : [trouble]),
      ...(sealing?.problems ?? []),
    ],
    ...(sealing !== null && { sealing: sealingView(state, sealing) }),
    ...(roster !== null && { roster }),
  }
}

/** Nothing while there is none, or it was never confirmed: then it has no age. */
function rosterView(state: State, now: number): RosterView | null {
  const ageMs = rosterAgeMs(state, now)
  if (state.identity === null || !Number.isFinite(ageMs)) return null
  return { ageMs, state: isRosterHard(state, now) ? 'expired' : isRosterSoft(state, now) ? 'stale' : 'fresh' }
}

/** Where no other machine can open anything sealed, nothing is. */
function sealingView(state: State, { mode, unsealedPeers }: Sealing): StatusView['sealing'] {
  const isPeer = (id: string): boolean => id !== selfId(state) && id !== state.roster?.cloud
  const peers = [...(state.roster?.machines.keys() ?? [])].filter(isPeer).length
  return { mode: peers > 0 && unsealedPeers.length >= peers ? 'off' : mode, unsealed: unsealedPeers }
}

/** An agent that has had messages this long without taking them is worth a line. */
const STALE_MS = 10 * 60_000

type Health = { state: State; store: Store; control: StatusView['control']; failed: number; now: number }

function health({ state, store, control, failed, now }: Health): string[] {
  const lines: string[] = []
  const report = damageReport(store)
  if (report !== undefined) lines.push(report)
  if (control.state === 'refused' || control.state === 'waiting') lines.push(control.reason ?? 'not connected')
  for (const agent of state.agents.values()) {
    if (agent.claim === 'refused')
      lines.push(
        `the name ${agent.name} is not this machine's any more; take another one: agent-relay run NAME -- COMMAND`,
      )
    const oldest = agent.waiting.values().next().value
    if (agent.isPerson || oldest === undefined || now - oldest.acceptedAt < STALE_MS) continue
    const since = ago(now, oldest.acceptedAt)
    lines.push(
      `${agent.name} has ${count(agent.waiting.size, 'message')} that nobody took, the oldest from ${since}: agent-relay inbox ${agent.name}`,
    )
  }
  for (const { agent, count: unseen, since, oldest } of store.read.unseenSince(now - STALE_MS)) {
    const [messages, age] = [count(unseen, 'message'), span(now - since).replace(/ (\w).*/, '$1')]
    lines.push(`${agent} has ${messages} injected but not seen for ${age} (agent-relay trace ${oldest})`)
  }
  if (failed > 0)
    lines.push(`${count(failed, 'message')} failed within a day, and the sender was told: agent-relay dead`)
  return lines
}
