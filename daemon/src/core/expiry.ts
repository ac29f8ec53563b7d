/** Time to live, counted on this machine's clock only. */
import { failIn, failOut } from './failure.ts'
import { type State, wakeBy } from './state.ts'
import type { Turn } from './turn.ts'
import { ago, machineName, span } from './words.ts'

/** Fails what is over its time and remembers when the next one will be. */
export function expire(state: State, turn: Turn): void {
  const { now } = turn
  for (const stream of state.outStreams.values()) {
    // From the end: a message that was never sent then leaves no empty place behind.
    for (let i = stream.entries.length - 1; i >= 0; i--) {
      const entry = stream.entries[i]
      if (entry === undefined || entry.isVoid) continue
      if (entry.expiresAt > now) {
        wakeBy(state, entry.expiresAt)
        continue
      }
      const where = machineName(state, stream.machine)
      const note = `its time to live ended: queued ${ago(now, entry.queuedAt)} and ${where} never confirmed it${entry.attempts > 0 ? ', so it may have arrived or not' : ''}`
      failOut(state, stream, entry, { reason: 'EXPIRED', note }, turn)
    }
  }
  for (const agent of state.agents.values()) {
    for (const entry of agent.waiting.values()) {
      if (entry.expiresAt > now) {
        wakeBy(state, entry.expiresAt)
        continue
      }
      const note = `its time to live ended: ${agent.name} did not take it from its inbox within ${span(now - entry.acceptedAt)}`
      failIn(state, agent, entry, { reason: 'EXPIRED', note }, turn)
    }
  }
}
