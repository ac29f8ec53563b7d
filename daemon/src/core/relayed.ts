/** What the relay answered: whether it carried, stored or refused what it was given. */
import type { RelayResult } from '@agent-relay/protocol'
import { claimOf } from './agents.ts'
import { failOut } from './failure.ts'
import { reroute } from './moves.ts'
import { leaveLink } from './outbox.ts'
import type { State } from './state.ts'
import type { Turn } from './turn.ts'

/** The relay's answer: what it refuses for good fails, what it stores waits there, everything else is tried again. */
export function relayed(state: State, results: RelayResult[], turn: Turn): void {
  const fenced = new Set<string>()
  for (const result of results) {
    const stream = state.out.get(result.id)
    const entry = stream?.entries.find((candidate) => candidate.id === result.id)
    if (stream === undefined || entry === undefined || entry.isVoid) continue
    if (result.state === 'stored' && !entry.isStored) {
      entry.isStored = true
      leaveLink(state, stream, entry)
      turn.ops.push({ op: 'state', n: entry.n, state: 'stored', at: turn.now, isOpen: true, path: 'mailbox' })
      turn.effects.push({ type: 'progress', id: entry.id, state: 'stored' })
      if (stream.entries[0] === entry) stream.retryAt = Number.POSITIVE_INFINITY
      state.toPump.add(stream)
    }
    const error = result.state === 'refused' ? result.error : undefined
    if (error?.code === 'FENCED') fenced.add(stream.fromKey)
    // What has since gone by a direct link is that machine's to refuse.
    if (error === undefined || !FINAL.has(error.code) || entry.path !== 'relay') continue
    const isFirst = entry.attempts <= 1
    if (error.code === 'NOT_FOUND' && isFirst && reroute(state, stream, entry, turn)) continue
    const note = isFirst ? error.message : `an earlier try may have arrived; then: ${error.message}`
    failOut(state, stream, entry, { reason: error.code, note: note.slice(0, 200) }, turn)
  }
  // The name's epoch moved on: the control plane says to which, or that it is not ours, and then what waits fails by that.
  for (const key of fenced) {
    const agent = state.agents.get(key)
    if (agent?.isConfirmed !== true) continue
    agent.isConfirmed = false
    turn.effects.push({ type: 'claim', agent: claimOf(agent) })
  }
}

/** Refusals that trying again does not change. */
const FINAL = new Set<string>([
  'BAD_REQUEST',
  'FORBIDDEN',
  'NOT_FOUND',
  'UNKNOWN_ADDRESS',
  'TOO_LARGE',
  'EXPIRED',
  'POLICY_REFUSED',
  'PLAN_LIMIT',
])
