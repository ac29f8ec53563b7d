/** An outgoing message as it travels: its place and remaining time from the core, the rest from its row. */
import type { Envelope } from '@agent-relay/protocol'
import { recipientOf } from '../core/recipient.ts'
import { type State, selfId } from '../core/state.ts'
import type { MessageRow, Outgoing } from '../core/turn.ts'
import type { StoredMessage } from '../store/reader.ts'

export type Source = {
  state: State
  /** What is sent; an empty place of a stream may have none. */
  row: MessageRow | StoredMessage | undefined
  now: number
}

/** The envelope of `message`; undefined when its row is gone, and when this machine is linked to nothing. */
export function envelopeOf(message: Outgoing, { state, row, now }: Source): Envelope | undefined {
  const { identity, outboxEpoch, entropy } = state
  if (identity === null || (row === undefined && !message.isVoid)) return undefined
  return {
    v: 1,
    id: row?.id ?? entropy.id(now),
    org: identity.org.id,
    from: {
      machine: selfId(state),
      agent: state.agents.get(message.fromKey)?.name ?? message.fromKey,
      epoch: message.epoch,
    },
    to: recipientOf(message.machine, row ?? { toAgent: message.toKey, project: null, via: null }),
    ...(row?.thread != null && { thread: row.thread }),
    ...(row?.replyTo != null && { replyTo: row.replyTo }),
    stream: message.stream,
    outboxEpoch,
    seq: message.seq,
    ttlMs: message.ttlMs,
    priority: 1,
    ts: row?.ts ?? Math.floor(now),
    trace: row?.trace ?? row?.id ?? message.stream.slice(0, 64),
    body: message.isVoid ? '' : (row?.body ?? ''),
    ...(message.isVoid && { isVoid: true as const }),
  }
}
