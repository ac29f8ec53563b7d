/**
 * The control plane as one more machine of each organization, under the organization's id: takes what is for people and
 * channels, a machine's envelopes in turn with everybody else's, and answers as any recipient does, after the commit.
 */
import { type Envelope, payloadLength, type RelayResult, type ReturnBatch, type WireError } from '@agent-relay/protocol'
import type { Db, MachineActor } from '#lib/services/context.ts'
import { fillGaps } from '#lib/services/inbox/fill-gaps.ts'
import { owedTo, receiptsHeard } from '#lib/services/inbox/owed-receipts.ts'
import { type Received, receiveEnvelopes } from '#lib/services/inbox/receive-envelopes.ts'
import { sendDeliveries } from '#lib/services/inbox/send-deliveries.ts'
import { takeAcks, takeReceipts } from '#lib/services/inbox/take-returns.ts'
import { traceDeliveries } from '#lib/services/inbox/trace-deliveries.ts'
import { publish } from './bus.ts'
import type { Log } from './log.ts'

/** Transactions at once, over all organizations: the relay itself and the pages need connections too. */
const maxWorkers = 4
/** Of one machine in one transaction: the others' turn comes soon. */
const turnEnvelopes = 128
const turnBytes = 4 * 1024 * 1024
/** Of one machine in memory; what does not fit stays with it and comes again. */
const laneEnvelopes = 1_024
const laneBytes = 8 * 1024 * 1024

/** Complaints remembered as said. */
const mostTold = 10_000

type Sender = { orgId: string; machineId: string }
/** Puts a return frame of the control plane's own machine on its way to one of the organization's. */
type GiveReturned = (to: Sender, batch: ReturnBatch) => Promise<void>
type Options = { db: Db; log: Log; give: GiveReturned }

type Lane = { sender: Sender; queue: Envelope[]; sizeBytes: number; isQueued: boolean }

export type DashboardInbox = {
  /** The envelopes' headers were checked. What is taken is acknowledged once it is committed. */
  take(sender: Sender, envelope: Envelope): RelayResult
  /** What this machine says of people's messages, and of what it heard. */
  returned(actor: MachineActor, batch: ReturnBatch): Promise<void>
  /** Says to the machine what it is owed. */
  tell(to: Sender): void
  /** Takes no more; resolves when what is being committed is. */
  close(): Promise<void>
}

export function createDashboardInbox({ db, log, give }: Options): DashboardInbox {
  const lanes = new Map<string, Lane>()
  const turns: Lane[] = []
  const workers = new Set<Promise<void>>()
  const told = new Set<string>()
  /** Counted down in the moment in which a worker finds nothing: its promise ends only later. */
  let working = 0
  let isClosed = false

  function queue(lane: Lane): void {
    if (lane.isQueued) return
    lane.isQueued = true
    turns.push(lane)
    if (working >= maxWorkers) return
    working++
    // In the next tick: what comes in one batch goes into one transaction.
    const worker: Promise<void> = Promise.resolve()
      .then(work)
      .finally(() => workers.delete(worker))
    workers.add(worker)
  }

  async function work(): Promise<void> {
    for (let lane = turns.shift(); lane !== undefined && !isClosed; lane = turns.shift()) {
      const envelopes = cut(lane)
      try {
        const received = await receiveEnvelopes(db, lane.sender, envelopes)
        if (received.unread !== undefined) complain(lane.sender, received.unread)
        await answer(lane.sender, received)
      } catch (error) {
        // Nothing was acknowledged: the sender's own clock brings them again.
        log.warn({ err: error, machine: lane.sender.machineId }, 'messages for people not taken; they come again')
      }
      lane.isQueued = false
      if (lane.queue.length > 0) queue(lane)
      else lanes.delete(lane.sender.machineId)
    }
    working--
  }

  /** Once for each machine and reason: it comes again until it can be read. */
  function complain({ machineId }: Sender, why: string): void {
    const complaint = `${machineId} ${why}`
    if (told.has(complaint)) return
    if (told.size >= mostTold) told.clear()
    told.add(complaint)
    log.warn({ machine: machineId, why }, 'a message for people was not taken; it comes again')
  }

  async function answer(sender: Sender, { hasInbox, hasChannel, unread: _, ...batch }: Received): Promise<void> {
    if (hasInbox || hasChannel)
      publish('hint', { orgId: sender.orgId, kinds: hasChannel ? ['inbox', 'channels'] : ['inbox'] })
    await give(sender, batch)
  }

  async function tell(to: Sender): Promise<void> {
    for (const receipts of await owedTo(db, to.orgId, to.machineId)) await give(to, { acks: [], gaps: [], receipts })
  }

  return {
    take(sender, envelope) {
      const lane = lanes.get(sender.machineId) ?? { sender, queue: [], sizeBytes: 0, isQueued: false }
      const sizeBytes = lane.sizeBytes + sizeOf(envelope)
      if (isClosed || lane.queue.length >= laneEnvelopes || (lane.queue.length > 0 && sizeBytes > laneBytes))
        return { id: envelope.id, state: 'refused', error: busy }
      lane.queue.push(envelope)
      lane.sizeBytes = sizeBytes
      lanes.set(sender.machineId, lane)
      queue(lane)
      return { id: envelope.id, state: 'carried' }
    },
    async returned(actor, { acks, gaps, receipts, heard = [] }) {
      await receiptsHeard(db, actor.machineId, heard)
      // A receipt says more than the acknowledgement that comes with it, and so has the last word.
      const accepted = await takeAcks(db, actor, acks)
      const told = await takeReceipts(db, actor, receipts)
      if (told.moved.length > 0) await sendDeliveries(db, told.moved)
      const changed = [...new Set([...accepted, ...told.changed])]
      await fillGaps(db, actor, gaps)
      if (gaps.length > 0) publish('resend', { machineIds: [actor.machineId] })
      if (told.heard.length > 0) await give(actor, { acks: [], gaps: [], receipts: [], heard: told.heard })
      if (changed.length === 0) return
      await traceDeliveries(db, changed)
      publish('hint', { orgId: actor.orgId, kinds: ['inbox'] })
    },
    tell(to) {
      tell(to).catch((error) => log.warn({ err: error, machine: to.machineId }, 'receipts not told; they stay owed'))
    },
    async close() {
      isClosed = true
      await Promise.all(workers)
    },
  }
}

/** Takes a turn's worth from the beginning of the lane. */
function cut(lane: Lane): Envelope[] {
  let count = 0
  let bytes = 0
  for (const envelope of lane.queue) {
    const size = sizeOf(envelope)
    if (count > 0 && (count >= turnEnvelopes || bytes + size > turnBytes)) break
    count++
    bytes += size
  }
  lane.sizeBytes -= bytes
  return lane.queue.splice(0, count)
}

/** The body dominates, and its length in characters is near enough. */
const sizeOf = (envelope: Envelope): number => payloadLength(envelope) + 600

const busy: WireError = {
  code: 'RATE_LIMITED',
  message:
    'Too many messages to people and channels come from this machine at once. They stay here and are tried again.',
}
