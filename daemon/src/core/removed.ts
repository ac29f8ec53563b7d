/** Machines that were removed from the organization: they never come back under their ids, so nothing waits for them. */
import { failOut } from './failure.ts'
import { rewind } from './outbox.ts'
import { forgetDebtsTo } from './receipts.ts'
import { isRemoved } from './roster.ts'
import type { OutStream, State } from './state.ts'
import type { Turn } from './turn.ts'

/** After a change of the roster. What never left has followed its agent by now, if that runs on another machine. */
export function leaveRemoved(state: State, turn: Turn): void {
  for (const stream of state.outStreams.values())
    if (stream.entries.length > 0 && isRemoved(state.roster, stream.machine)) end(state, stream, turn)
  for (const machine of state.debts.keys()) if (isRemoved(state.roster, machine)) forgetDebtsTo(state, machine, turn)
}

/** The cloud drops what it kept for such a machine and says nothing: whoever sent it hears of it here. */
function end(state: State, stream: OutStream, turn: Turn): void {
  rewind(state, stream)
  for (const entry of stream.entries.filter((candidate) => !candidate.isVoid).reverse()) {
    const gone = 'its machine was removed from the organization'
    const note = entry.attempts === 0 ? gone : `an earlier try may have arrived; then ${gone}`
    failOut(state, stream, entry, { reason: 'NOT_FOUND', note }, turn)
  }
  // Nobody asks for its empty places any more.
  for (const { n } of stream.entries) if (n > 0) turn.ops.push({ op: 'void-done', n })
  stream.entries = []
}
