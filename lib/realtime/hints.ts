import type { DashboardHint } from '@agent-relay/protocol'
import { listen } from './bus.ts'

/** At most four hints a second for one organization: people do not read faster, and each makes every open page refetch. */
const quietMs = 250

type Kinds = DashboardHint['kinds']

/** Gathers hints per organization: the first goes out at once, those within the next 250 ms together. Returns how to stop. */
export function coalesceHints(emit: (orgId: string, kinds: Kinds) => void): () => void {
  const waiting = new Map<string, Set<Kinds[number]>>()
  const timers = new Map<string, NodeJS.Timeout>()

  function send(orgId: string): void {
    const kinds = waiting.get(orgId)
    timers.delete(orgId)
    if (!kinds) return
    waiting.delete(orgId)
    timers.set(
      orgId,
      setTimeout(() => send(orgId), quietMs),
    )
    emit(orgId, [...kinds])
  }

  const unlisten = listen('hint', ({ orgId, kinds }) => {
    const known = waiting.get(orgId) ?? new Set()
    for (const kind of kinds) known.add(kind)
    waiting.set(orgId, known)
    if (!timers.has(orgId)) send(orgId)
  })
  return () => {
    unlisten()
    for (const timer of timers.values()) clearTimeout(timer)
  }
}
