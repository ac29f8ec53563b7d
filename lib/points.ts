/**
 * Named moments in the life of a relayed message, published for whoever watches the control plane from outside its code, as
 * the fault tests do that end it there. Without a subscriber one costs a comparison.
 */
import { channel } from 'node:diagnostics_channel'

const points = channel('agent-relay.point')

export const POINTS = [
  'relay.taken',
  'mailbox.before-commit',
  /** In Postgres, and the sender does not know it yet. */
  'mailbox.after-commit',
  'relay.answer',
  'return.taken',
  /** Acknowledgements for a sender that is away are in Postgres, and the recipient does not know it yet. */
  'return.stored',
  'ack.before-delete',
  'ack.after-delete',
  /** A page of a mailbox was read, and nothing of it handed over. */
  'drain.page-read',
] as const

export function point(name: (typeof POINTS)[number]): void {
  if (points.hasSubscribers) points.publish(name)
}
