/** What came on a proved link, checked: the link's words as their schemas have them, or what is to be done with the rest. */
import { Envelope, isPlainBatch, isPlainEnvelope, MAX_BATCH, type PeerFrames, peerFrames } from '@agent-relay/protocol'

type Event = keyof PeerFrames
type Taken = { [E in Event]: { what: 'frame'; event: E; frame: PeerFrames[E] } }[Event]
export type PeerFrameRead =
  | Taken
  /** Of a later version, or nothing that can be used: passed over. */
  | { what: 'nothing' }
  | { what: 'unknown' }
  | { what: 'malformed'; why: string }

export function readPeerFrame(event: string, frame: unknown): PeerFrameRead {
  if (!Object.hasOwn(peerFrames, event)) return { what: 'unknown' }
  if (event === 'PEER_ROUTE') return readRoute(frame)
  const read = peerFrames[event as Event].safeParse(frame)
  if (read.success) return { what: 'frame', event: event as Event, frame: read.data } as Taken
  const issue = read.error.issues[0]
  const where = issue !== undefined && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : ''
  return { what: 'malformed', why: `a ${event} that cannot be read${where}`.slice(0, 200) }
}

/** As from the relay: one unreadable envelope must not keep the others of its batch; unacknowledged, it stays with its sender. */
function readRoute(frame: unknown): PeerFrameRead {
  if (isPlainBatch(frame)) return { what: 'frame', event: 'PEER_ROUTE', frame }
  const batch = (frame as { envelopes?: unknown } | null | undefined)?.envelopes
  if (!Array.isArray(batch) || batch.length === 0 || batch.length > MAX_BATCH)
    return { what: 'malformed', why: 'a PEER_ROUTE that is no batch' }
  const envelopes = batch.flatMap((one): Envelope[] => {
    if (isPlainEnvelope(one)) return [one]
    const read = Envelope.safeParse(one)
    return read.success ? [read.data] : []
  })
  return envelopes.length === 0 ? { what: 'nothing' } : { what: 'frame', event: 'PEER_ROUTE', frame: { envelopes } }
}
