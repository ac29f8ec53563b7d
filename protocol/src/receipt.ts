/** How far a message is known to have come. Words are never stronger than the evidence. */
import { z } from 'zod'
import { MachineId, MessageId, StreamId } from './envelope.ts'
import { ErrorCode } from './errors.ts'

/**
 * `queued` on the sender's disk → `stored` in the cloud (only when it had to wait there) → `accepted` in the recipient
 * machine's inbox → `injected` into its agent, on evidence → `seen` by it; or `failed` with a reason.
 */
export const DeliveryState = z.enum(['queued', 'stored', 'accepted', 'injected', 'seen', 'failed'])
export type DeliveryState = z.infer<typeof DeliveryState>

const rank: Record<DeliveryState, number> = { queued: 0, stored: 1, accepted: 2, injected: 3, seen: 4, failed: 5 }

/** Whether `next` says more than `known`. States only go up; `failed` ends all but never follows `accepted` evidence down. */
export const isLater = (next: DeliveryState, known: DeliveryState): boolean => rank[next] > rank[known]

export const DeliveryPath = z.enum(['local', 'relay', 'mailbox', 'direct'])
export type DeliveryPath = z.infer<typeof DeliveryPath>

/** One step of a message's way, as its trace shows it. Offsets are on the clock of whoever wrote the hop. */
export const Hop = z.object({
  /** queued, sent, stored, carried, accepted, injected, seen, retry, failed */
  kind: z.string().max(24),
  /** The machine's name, or `relay`. */
  where: z.string().max(64),
  /** ms since the message was queued, on the sender's clock; undefined when only the other clock knows. */
  atMs: z.number().nonnegative().optional(),
  path: DeliveryPath.optional(),
  attempt: z.int().positive().optional(),
  note: z.string().max(200).optional(),
})
export type Hop = z.infer<typeof Hop>

/** Says of one message what its recipient's machine knows; travels back to the sender's machine. */
export const Receipt = z.object({
  id: MessageId,
  state: z.enum(['injected', 'seen', 'failed']),
  /** The machine that sent the message and gets this receipt. */
  to: MachineId,
  reason: ErrorCode.optional(),
  note: z.string().max(200).optional(),
  /** ms between the recipient's commit and this state, on the recipient's clock. */
  afterMs: z.number().nonnegative().optional(),
})
export type Receipt = z.infer<typeof Receipt>

/** The answer to a receipt: the sender's machine has it on its disk. Until it comes, the receipt is said again. */
export const Heard = z.object({
  id: MessageId,
  state: z.enum(['injected', 'seen', 'failed']),
  /** The machine that said the receipt and gets this answer. */
  to: MachineId,
})
export type Heard = z.infer<typeof Heard>

/** Cumulative: every message of the stream with `seq` ≤ `upTo` is committed in the recipient machine's inbox. */
export const Ack = z.object({
  stream: StreamId,
  outboxEpoch: z.string().min(1).max(32),
  upTo: z.int().min(-1),
  /** The machine that sent the stream and gets this acknowledgement. */
  to: MachineId,
})
export type Ack = z.infer<typeof Ack>

/** Asks the sender of a stream to send again from `next`: the recipient has everything before it and lacks this one. */
export const Gap = z.object({
  stream: StreamId,
  outboxEpoch: z.string().min(1).max(32),
  next: z.int().nonnegative(),
  to: MachineId,
})
export type Gap = z.infer<typeof Gap>
