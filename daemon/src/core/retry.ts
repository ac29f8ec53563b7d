/** When to try again. One clock per stream, not per message. */
import { isLive } from './outbox.ts'
import { epochOn, load, pathTo } from './paths.ts'
import { type OutStream, type State, wakeBy } from './state.ts'
import { retryDelay, transmit } from './transmit.ts'
import type { Outgoing, Turn } from './turn.ts'

/** Sends again what is due: of what is parked in the cloud only the oldest, as a question; of the rest all that is in flight. */
export function retry(state: State, stream: OutStream, turn: Turn): void {
  if (turn.now < stream.retryAt) {
    wakeBy(state, stream.retryAt)
    return
  }
  const path = pathTo(state, stream.link)
  const epoch = epochOn(state, path, stream.fromKey)
  if (path === null || epoch === null || stream.sent === 0 || !isLive(stream)) {
    stream.retryAt = Number.POSITIVE_INFINITY
    return
  }
  stream.retries++
  const outgoing: Outgoing[] = []
  for (let i = 0; i < stream.sent; i++) {
    const entry = stream.entries[i]
    if (entry !== undefined && (i === 0 || !entry.isStored))
      outgoing.push(transmit(stream, entry, { epoch, path, turn }))
  }
  load(state.cargo, stream.link, path, outgoing)
  stream.retryAt = turn.now + retryDelay(state, stream, path)
  wakeBy(state, stream.retryAt)
}
