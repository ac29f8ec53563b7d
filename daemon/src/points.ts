/**
 * Named moments in the life of a message, published for whoever watches a daemon from outside its code, as the fault tests
 * do that end it there. Without a subscriber one costs a comparison.
 */
import { channel } from 'node:diagnostics_channel'

const points = channel('agent-relay.point')

export const POINTS = [
  /** The core has decided; nothing of it is on disk or out. */
  'turn.decided',
  'commit.before',
  /** On disk, and no effect is out yet. */
  'commit.after',
  /** Before each effect, so also between any two. */
  'effect.next',
  /** A batch of envelopes was written to the control socket. */
  'relay.handed',
  'deliver.received',
  /** Acknowledgements, gaps or receipts came back. */
  'return.received',
  'agent.push',
  /** Answers and pushes of a tick were written to a client of the local socket. */
  'local.written',
  'mark.received',
] as const

export function point(name: (typeof POINTS)[number]): void {
  if (points.hasSubscribers) points.publish(name)
}
