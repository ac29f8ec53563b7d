/** Messages that follow their agent to the machine where it is now. */
import { append, forget, leaveLink, streamTo, trim } from './outbox.ts'
import { find } from './routing.ts'
import { type OutEntry, type OutStream, type State, selfId } from './state.ts'
import { must, type Turn } from './turn.ts'

/**
 * Sends a message where its agent lives now. Only for one that certainly is in no inbox: never sent, or refused by the
 * machine that it was sent to. Its old place becomes empty.
 */
export function reroute(state: State, stream: OutStream, entry: OutEntry, turn: Turn): boolean {
  const target = find(state, stream.toKey)
  if (target === undefined || target.machine === stream.machine || target.machine === selfId(state)) return false
  forget(state, entry)
  leaveLink(state, stream, entry)
  const place = stream.entries.indexOf(entry)
  stream.entries[place] = { ...entry, n: 0, id: `void ${stream.id} ${entry.seq}`, isVoid: true }
  const next = streamTo(state, stream.fromKey, stream.toKey, target.machine)
  const moved = { ...entry, seq: next.nextSeq, attempts: 0, path: null, isStored: false }
  must(turn, { op: 'move', n: entry.n, machine: target.machine, stream: next.id, seq: moved.seq })
  append(state, next, moved)
  trim(state, stream, turn)
  return true
}

/** After a change of the roster: what never left goes to where its agent is now. */
export function followMoves(state: State, turn: Turn): void {
  for (const stream of [...state.outStreams.values()]) {
    const target = stream.entries.length === 0 ? undefined : find(state, stream.toKey)
    if (target === undefined || target.machine === stream.machine) continue
    const unsent = stream.entries.filter((entry) => entry.attempts === 0 && !entry.isVoid)
    for (const entry of unsent) reroute(state, stream, entry, turn)
  }
}
