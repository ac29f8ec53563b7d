import { DASHBOARD_AGENT, type Envelope, type Gap } from '@agent-relay/protocol'
import type { Db } from '../context.ts'
import { nextRowId } from '../messages/row-id.ts'
import { plainText } from '../plain-text.ts'
import { putMail, sendDeliveries } from './send-deliveries.ts'

type Recipient = { orgId: string; machineId: string }

/** As many places as a recipient's window holds; it asks again for the rest. */
const maxFilled = 256
/** An hour: the recipient asked a moment ago, and asks again. */
const voidTtlMs = 3_600_000

/**
 * Puts what the recipient of people's messages lacks into its mailbox again, from `next` on: messages that still count, and
 * an empty envelope for each that failed, was removed, or was accepted before an inbox was lost, so that the stream goes on.
 */
export async function fillGaps(db: Db, recipient: Recipient, gaps: Gap[]): Promise<void> {
  for (const gap of gaps) await fillGap(db, recipient, gap)
}

async function fillGap(db: Db, { orgId, machineId }: Recipient, gap: Gap): Promise<void> {
  const about = { machineId, outboxEpoch: plainText(gap.outboxEpoch) }
  const own = await db.personStream.findFirst({ where: about, select: { nextSeq: true, agentKey: true } })
  if (!own || gap.next >= own.nextSeq) return
  const stream = plainText(gap.stream)
  const range = { gte: gap.next, lt: Math.min(own.nextSeq, gap.next + maxFilled) }
  const counting = await db.personDelivery.findMany({
    where: { ...about, orgId, stream, seq: range, state: { in: ['queued', 'stored'] }, expiresAt: { gt: new Date() } },
    select: { id: true, seq: true },
  })
  await sendDeliveries(
    db,
    counting.map(({ id }) => id),
  )
  const isThere = new Set(counting.map(({ seq }) => seq))
  const empty: Envelope[] = []
  for (let seq = range.gte; seq < range.lt; seq++)
    if (!isThere.has(seq)) empty.push({ ...emptyEnvelope(orgId, machineId, own.agentKey), ...about, stream, seq })
  await putMail(db, orgId, empty)
}

function emptyEnvelope(orgId: string, machineId: string, agentKey: string) {
  return {
    v: 1 as const,
    id: nextRowId(),
    org: orgId,
    from: { machine: orgId, agent: DASHBOARD_AGENT, epoch: 1 },
    to: { machine: machineId, agent: agentKey },
    ttlMs: voidTtlMs,
    priority: 1 as const,
    ts: Date.now(),
    trace: 'void',
    body: '',
    isVoid: true as const,
  }
}
