/** How words of the protocol stand in the database. */
import type { DeliveryState } from '@agent-relay/protocol'
import type { DeadLetter, Way } from '../core/turn.ts'

/** By rank, so that "says more" is "greater". */
export const STATES: readonly DeliveryState[] = ['queued', 'stored', 'accepted', 'injected', 'seen', 'failed']
export const WAYS: readonly Way[] = ['out', 'in', 'local']

export const stateCode: Record<DeliveryState, number> = {
  queued: 0,
  stored: 1,
  accepted: 2,
  injected: 3,
  seen: 4,
  failed: 5,
}
export const wayCode: Record<Way, number> = { out: 0, in: 1, local: 2 }

/** 0: no dead letter. */
export const DEAD: readonly (DeadLetter['dead'] | null)[] = [null, 'open', 'retried', 'dropped']
