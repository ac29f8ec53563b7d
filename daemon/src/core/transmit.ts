/** One envelope on its way, and when to ask after it. */
import { type DeliveryPath, MAX_TTL_MS } from '@agent-relay/protocol'
import { REPROBE_MS, RETRY_FIRST_MS, RETRY_MAX_MS } from './limits.ts'
import type { OutEntry, OutStream, Path, State } from './state.ts'
import type { Outgoing, Turn } from './turn.ts'

/** 1 s doubling to 30 s, each ±50 %; once a minute for what the cloud keeps. */
export function retryDelay(state: State, stream: OutStream, path: Path): number {
  const isParked = path === 'relay' && stream.entries[0]?.isStored === true
  const base = isParked ? REPROBE_MS : Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(stream.retries, 10))
  return base * (0.5 + state.entropy.unit())
}

/** By which path it arrived if it arrived: that of its newest attempt, or the mailbox when the cloud keeps it. */
export const pathOf = ({ isStored, path }: OutEntry): DeliveryPath | null =>
  isStored && path !== 'direct' ? 'mailbox' : path

/** What goes out now; the sender's epoch and the remaining time to live are those of this moment. */
export function transmit(
  stream: OutStream,
  entry: OutEntry,
  { epoch, path, turn }: { epoch: number; path: Path; turn: Turn },
): Outgoing {
  entry.attempts++
  entry.path = path
  if (entry.n > 0)
    turn.ops.push({ op: 'attempt', n: entry.n, at: turn.now, attempts: entry.attempts, path: pathOf(entry) ?? path })
  return {
    n: entry.n,
    id: entry.id,
    stream: stream.id,
    seq: entry.seq,
    epoch,
    // An empty place must outlive whatever waits behind it, wherever that is kept.
    ttlMs: entry.isVoid ? MAX_TTL_MS : Math.min(MAX_TTL_MS, Math.max(1, Math.floor(entry.expiresAt - turn.now))),
    machine: stream.machine,
    fromKey: stream.fromKey,
    toKey: stream.toKey,
    isVoid: entry.isVoid,
  }
}
