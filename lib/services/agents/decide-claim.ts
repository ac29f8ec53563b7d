/** Who gets a name: the rules of docs/protocol.md "Names" as a pure function, used by single claims and by sync. */
import type { AgentClaim } from '@agent-relay/protocol'

/** What the registry knows of a name. */
export type Holder = {
  machineId: string
  epoch: number
  isReleased: boolean
  /** When the lease of the holder's machine ends, whether it is connected or not; null when it never was. */
  leaseEndsAt: Date | null
}

export type Decision =
  | { kind: 'create'; epoch: 1 }
  /** Same machine, same epoch: it goes on as if it had never been away, and what it queued stays valid. */
  | { kind: 'renew'; epoch: number }
  /** Same machine, a new start: older epochs are fenced from now on. */
  | { kind: 'again'; epoch: number }
  /** Another machine, after the holder let go or its lease ended. */
  | { kind: 'take'; epoch: number }
  | { kind: 'refuse'; freeInSeconds: number }

export function decideClaim(
  holder: Holder | undefined,
  claim: Pick<AgentClaim, 'epoch'> & { machineId: string },
  now: Date,
): Decision {
  if (!holder) return { kind: 'create', epoch: 1 }
  const next = holder.epoch + 1
  if (holder.machineId === claim.machineId)
    return claim.epoch === holder.epoch ? { kind: 'renew', epoch: holder.epoch } : { kind: 'again', epoch: next }
  const leaseMs = holder.leaseEndsAt ? holder.leaseEndsAt.getTime() - now.getTime() : 0
  if (holder.isReleased || leaseMs <= 0) return { kind: 'take', epoch: next }
  return { kind: 'refuse', freeInSeconds: Math.ceil(leaseMs / 1000) }
}
