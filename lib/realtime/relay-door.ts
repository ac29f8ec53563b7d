/**
 * The HTTP fallback's way to the relay. Route handlers run in Next's bundle and the sockets are held by server.ts: two
 * instances of lib/ in one process, which meet on globalThis.
 */
import { DomainError } from '#lib/errors.ts'
import type { Relay } from './relay.ts'

const key = Symbol.for('agent-relay.relay')
const shared = globalThis as { [key]?: Relay | undefined }

export function openRelayDoor(relay: Relay | undefined): void {
  shared[key] = relay
}

/** @throws DomainError SHUTTING_DOWN while no gateway runs in this process */
export function relayDoor(): Relay {
  const relay = shared[key]
  if (!relay) throw new DomainError('SHUTTING_DOWN', 'The relay is starting or stopping. Try again in a few seconds.')
  return relay
}
