/** `agent-relay status`: what is connected, what waits, and what a person should do about it. */
import { DAY_MS } from '@agent-relay/protocol'
import type { StatusView } from '@agent-relay/protocol/local'
import type { State } from '../core/state.ts'
import { ago } from '../core/words.ts'
import type { Store } from '../store/store.ts'
import type { Control } from './control.ts'
import { damageReport } from './damage.ts'
import { machineViews } from './views.ts'

type Facts = {
  version: string
  home: string
  uptimeMs: number
  state: State
  store: Store
  control: Control
  now: number
}

export function statusView({ version, home, uptimeMs, state, store, control, now }: Facts): StatusView {
  const link = control.link()
  const view = control.view()
  const failed = store.read.failedSince(now - DAY_MS)
  return {
    version,
    pid: process.pid,
    home,
    uptimeMs,
    linked: link === null ? null : { url: link.url, org: link.org.slug, orgName: link.org.name, person: link.person },
    control: view,
    machines: machineViews(state, view.latencyMs),
    queued: state.outCount,
    failed,
    health: health({ state, store, control: view, failed, now }),
  }
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
      `${agent.name} has ${agent.waiting.size} messages that nobody took, the oldest from ${since}: agent-relay inbox ${agent.name}`,
    )
  }
  if (failed > 0) lines.push(`${failed} messages failed within a day; their senders were told: agent-relay dead`)
  return lines
}
