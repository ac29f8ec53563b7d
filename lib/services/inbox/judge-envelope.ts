/** What becomes of one envelope for a person or a channel; decided on what was read before, without the database. */
import { type Envelope, type ErrorCode, nameKey } from '@agent-relay/protocol'
import { CHANNEL_MESSAGES, INBOX_BYTES, INBOX_MESSAGES } from './limits.ts'

export type Place = { userId: string } | { channelId: string }

/** What the place holds: of a person what they have not read, of a channel its whole history. */
export type Room = { messages: number; sizeBytes: number }

export type Facts = {
  /** User ids and channel ids by name key. */
  people: ReadonlyMap<string, string>
  channels: ReadonlyMap<string, string>
  /** By user or channel id. */
  rooms: ReadonlyMap<string, Room>
}

export type Verdict =
  | { kind: 'take'; place: Place }
  /** An empty place of its stream: nothing to keep. */
  | { kind: 'void' }
  /** No room now: it stays with its sender, who tries again. */
  | { kind: 'full' }
  | { kind: 'refuse'; reason: ErrorCode; note: string }

export function judgeEnvelope({ to, isVoid }: Envelope, sizeBytes: number, facts: Facts): Verdict {
  if (isVoid) return { kind: 'void' }
  if (to.channel !== undefined) {
    const channelId = facts.channels.get(nameKey(to.channel))
    if (channelId === undefined)
      return { kind: 'refuse', reason: 'NOT_FOUND', note: `there is no channel #${to.channel} any more` }
    const room = facts.rooms.get(channelId)
    return room !== undefined && room.messages >= CHANNEL_MESSAGES
      ? { kind: 'full' }
      : { kind: 'take', place: { channelId } }
  }
  const userId = facts.people.get(nameKey(to.user ?? ''))
  if (userId === undefined)
    return { kind: 'refuse', reason: 'NOT_FOUND', note: `nobody in the organization is @${to.user ?? to.agent}` }
  const room = facts.rooms.get(userId)
  const isFull = room !== undefined && (room.messages >= INBOX_MESSAGES || room.sizeBytes + sizeBytes > INBOX_BYTES)
  return isFull ? { kind: 'full' } : { kind: 'take', place: { userId } }
}
