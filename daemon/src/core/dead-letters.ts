/** Messages that failed: sent again in a new message's place, or let go of. Asked twice, once done. */
import { nameKey, type WireError } from '@agent-relay/protocol'
import { FAILED_LATELY } from './limits.ts'
import { queueAll } from './send.ts'
import type { State } from './state.ts'
import { answer, type CoreEvent, type DeadLetter, must, refuse, type Turn } from './turn.ts'

type Retry = Extract<CoreEvent, { type: 'retry' }>
type Drop = Extract<CoreEvent, { type: 'drop' }>

/** Queues its text to its address anew, under a new id; thread and time to live as they were. */
export function retryLetter(state: State, { id, letter, reply }: Retry, turn: Turn): void {
  const settled = settledAs(state, id, letter)
  if (letter === undefined || settled === null) {
    refuse(turn, reply, letter === undefined ? noLetter(id) : wasDropped(id))
    return
  }
  if (settled !== undefined) {
    answer(turn, reply, { type: 'retried', id, as: settled })
    return
  }
  const { from, to, body, sizeBytes, ttlMs } = letter
  const sent = queueAll(
    state,
    {
      from: nameKey(from),
      to,
      body,
      sizeBytes,
      ttlMs,
      thread: letter.thread ?? undefined,
      replyTo: letter.replyTo ?? undefined,
      retryOf: id,
    },
    turn,
  )
  if (!sent.ok) {
    refuse(turn, reply, sent.error)
    return
  }
  settle(state, letter, sent.id, turn)
  answer(turn, reply, { type: 'retried', id, as: sent.id })
}

export function dropLetter(state: State, { id, letter, reply }: Drop, turn: Turn): void {
  const settled = settledAs(state, id, letter)
  if (letter === undefined || typeof settled === 'string') {
    refuse(turn, reply, letter === undefined ? noLetter(id) : wasRetried(id, settled as string))
    return
  }
  if (settled === undefined) settle(state, letter, null, turn)
  answer(turn, reply, { type: 'dropped', id })
}

/** The message in its place, null when it was dropped, undefined as long as it is open; the newest of disk and memory. */
function settledAs(state: State, id: string, letter: DeadLetter | undefined): string | null | undefined {
  const lately = state.settledLately.get(id)
  if (lately !== undefined || letter === undefined || letter.dead === 'open') return lately
  return letter.dead === 'dropped' ? null : (letter.retriedAs ?? '')
}

function settle(state: State, { n, id }: DeadLetter, as: string | null, turn: Turn): void {
  must(turn, { op: 'dead', n, state: as === null ? 'dropped' : 'retried', as })
  state.settledLately.set(id, as)
  for (const oldest of state.settledLately.keys()) {
    if (state.settledLately.size <= FAILED_LATELY) return
    state.settledLately.delete(oldest)
  }
}

const noLetter = (id: string): WireError => ({
  code: 'NOT_FOUND',
  message: `No message ${id} that was sent from here has failed: see those that did with agent-relay dead`,
})
const wasDropped = (id: string): WireError => ({
  code: 'CONFLICT',
  message: `Message ${id} was dropped: send its text anew, which agent-relay read ${id} shows.`,
})
const wasRetried = (id: string, as: string): WireError => ({
  code: 'CONFLICT',
  message: `Message ${id} was sent again as ${as} already: see agent-relay trace ${as}`,
})
