/**
 * The control plane as a recipient: what a daemon's inbox does in SQLite is done here in Postgres. A watermark per stream,
 * locked in the transaction that inserts the messages; whatever the caller says to the sender it says after the commit.
 */
import { type Ack, type Envelope, type Gap, nameKey, type Receipt } from '@agent-relay/protocol'
import { withTransaction } from '#lib/db/transaction.ts'
import type { Db, Tx } from '../context.ts'
import { nextRowId } from '../messages/row-id.ts'
import { plainText } from '../plain-text.ts'
import { openEnvelopes } from './cloud-box.ts'
import { type Facts, judgeEnvelope, type Place, type Room } from './judge-envelope.ts'
import { type Owed, oweReceipts } from './owed-receipts.ts'
import { readFacts } from './read-facts.ts'

type Sender = { orgId: string; machineId: string }
type ReceivedAnswer = { acks: Ack[]; gaps: Gap[]; receipts: Receipt[] }
export type Received = ReceivedAnswer & {
  hasInbox: boolean
  hasChannel: boolean
  /** Why something was not read: it is not acknowledged, and comes again, sealed anew, when its sender tries again. */
  unread: string | undefined
}

type Stream = { stream: string; outboxEpoch: string; next: number; envelopes: Envelope[] }

/**
 * Takes envelopes of one machine, whose right to their senders' names was checked: each stream in order and once. Refused
 * ones are failure receipts, told with the acknowledgement that covers them and owed until the machine has heard.
 */
export async function receiveEnvelopes(db: Db, sender: Sender, sealed: Envelope[]): Promise<Received> {
  const opened = await openEnvelopes(db, sender, sealed)
  const envelopes = opened.map(({ envelope }) => envelope)
  const unread = new Map(opened.flatMap(({ envelope, why }) => (why === undefined ? [] : [[envelope, why]])))
  return withTransaction(db, async (tx) => {
    const streams = await lockStreams(tx, sender, envelopes)
    const fresh = streams.flatMap(({ next, envelopes }) => envelopes.filter(({ seq }) => seq >= next))
    const facts = await readFacts(tx, sender.orgId, fresh)
    const taking: Taking = { taken: [], refused: [], facts, rooms: new Map(facts.rooms), unread }
    const gaps: Gap[] = []
    const moved: Stream[] = []
    for (const stream of streams) {
      const before = stream.next
      const isMissing = advance(stream, taking)
      if (stream.next > before) moved.push(stream)
      if (isMissing) gaps.push({ ...about(stream, sender), next: stream.next })
    }
    await insertMessages(tx, sender, taking.taken)
    await countMessages(tx, taking.taken)
    await moveWatermarks(tx, sender, moved)
    const owed = taking.refused.map(({ envelope, reason, note }): Owed & { reason: Receipt['reason'] } => ({
      machineId: sender.machineId,
      messageId: envelope.id,
      state: 'failed',
      reason,
      note,
    }))
    await oweReceipts(tx, owed)
    return {
      acks: streams.map((stream) => ({ ...about(stream, sender), upTo: stream.next - 1 })),
      gaps,
      receipts: owed.map(({ messageId, machineId, state, reason, note }) => ({
        ...{ id: messageId, state, to: machineId, reason },
        ...(note !== undefined && { note }),
      })),
      hasInbox: taking.taken.some(({ place }) => 'userId' in place),
      hasChannel: taking.taken.some(({ place }) => 'channelId' in place),
      unread: unread.values().next().value,
    }
  })
}

const about = ({ stream, outboxEpoch }: Stream, { machineId }: Sender) => ({ stream, outboxEpoch, to: machineId })
/** As Postgres has it: a name with characters that it refuses must find its watermark again all the same. */
const streamKey = (one: { stream: string; outboxEpoch: string }): string =>
  JSON.stringify([plainText(one.outboxEpoch), plainText(one.stream)])

/** The streams of these envelopes, each locked at its watermark until the commit, their envelopes by ascending seq. */
async function lockStreams(tx: Tx, { machineId }: Sender, envelopes: Envelope[]): Promise<Stream[]> {
  const streams = new Map<string, Stream>()
  for (const envelope of envelopes) {
    const key = streamKey(envelope)
    const { stream, outboxEpoch } = envelope
    const known = streams.get(key) ?? { stream, outboxEpoch, next: 0, envelopes: [] }
    known.envelopes.push(envelope)
    streams.set(key, known)
  }
  const named = JSON.stringify(
    [...streams.values()].map(({ stream, outboxEpoch }) => ({
      stream: plainText(stream),
      epoch: plainText(outboxEpoch),
    })),
  )
  await tx.$executeRaw`
    INSERT INTO "DashboardWatermark" ("machineId", "outboxEpoch", stream, next)
    SELECT ${machineId}::uuid, epoch, stream, 0 FROM jsonb_to_recordset(${named}::jsonb) AS r(epoch text, stream text)
    ORDER BY epoch, stream ON CONFLICT DO NOTHING`
  const rows = await tx.$queryRaw<{ stream: string; outboxEpoch: string; next: number }[]>`
    SELECT w.stream, w."outboxEpoch", w.next FROM "DashboardWatermark" w
      JOIN jsonb_to_recordset(${named}::jsonb) AS r(epoch text, stream text) ON w.stream = r.stream AND w."outboxEpoch" = r.epoch
    WHERE w."machineId" = ${machineId}::uuid ORDER BY w."outboxEpoch", w.stream FOR UPDATE OF w`
  for (const row of rows) {
    const known = streams.get(streamKey(row))
    if (known) known.next = row.next
  }
  for (const { envelopes } of streams.values()) envelopes.sort((a, b) => a.seq - b.seq)
  return [...streams.values()]
}

type Taken = { envelope: Envelope; place: Place; sizeBytes: number }
type Taking = {
  taken: Taken[]
  refused: { envelope: Envelope; reason: NonNullable<Receipt['reason']>; note: string }[]
  facts: Facts
  /** With what this transaction takes already counted. */
  rooms: Map<string, Room>
  unread: ReadonlyMap<Envelope, string>
}

/** Moves the watermark over what comes next and fits; true when the next one is missing and can be asked for. */
function advance(stream: Stream, { taken, refused, facts, rooms, unread }: Taking): boolean {
  let hasUnread = false
  for (const envelope of stream.envelopes) {
    if (envelope.seq < stream.next) continue
    if (unread.has(envelope)) {
      hasUnread = true
      continue
    }
    const sizeBytes = Buffer.byteLength(envelope.body)
    const verdict = judgeEnvelope(envelope, sizeBytes, { ...facts, rooms })
    // Before the order: to ask for what a full inbox does not take would make the sender repeat it at once, for ever.
    if (verdict.kind === 'full') return false
    // To ask for what cannot be read would bring it again at once, and maybe no better; its sender tries ever more rarely.
    if (envelope.seq > stream.next) return !hasUnread
    stream.next++
    if (verdict.kind === 'refuse') refused.push({ envelope, reason: verdict.reason, note: verdict.note })
    if (verdict.kind !== 'take') continue
    taken.push({ envelope, place: verdict.place, sizeBytes })
    const id = 'userId' in verdict.place ? verdict.place.userId : verdict.place.channelId
    const room = rooms.get(id) ?? { messages: 0, sizeBytes: 0 }
    rooms.set(id, { messages: room.messages + 1, sizeBytes: room.sizeBytes + sizeBytes })
  }
  return false
}

async function insertMessages(tx: Tx, { orgId, machineId }: Sender, taken: Taken[]): Promise<void> {
  if (taken.length === 0) return
  const agents = await tx.agent.findMany({
    where: { orgId, nameKey: { in: [...new Set(taken.map(({ envelope }) => nameKey(envelope.from.agent)))] } },
    select: { id: true, nameKey: true, name: true },
  })
  const byKey = new Map(agents.map((agent) => [agent.nameKey, agent]))
  const originals = await originalsOf(tx, orgId, taken)
  const now = Date.now()
  await tx.dashboardMessage.createMany({
    // One id twice under two places of a stream would be a broken sender; it must not hold up the rest.
    skipDuplicates: true,
    data: taken.map(({ envelope, place, sizeBytes }) => {
      const agent = byKey.get(nameKey(envelope.from.agent))
      return {
        id: nextRowId(),
        orgId,
        ...place,
        agentId: agent?.id ?? null,
        fromName: agent?.name ?? envelope.from.agent,
        fromMachineId: machineId,
        messageId: envelope.id,
        thread: envelope.thread === undefined ? null : plainText(envelope.thread),
        replyTo: (envelope.replyTo && originals.get(envelope.replyTo)) ?? envelope.replyTo ?? null,
        body: plainText(envelope.body),
        sizeBytes,
        sentAt: new Date(Math.min(envelope.ts, now)),
        storedAt: new Date(now),
      }
    }),
  })
}

async function countMessages(tx: Tx, taken: Taken[]): Promise<void> {
  const counts = new Map<string, number>()
  for (const { place } of taken)
    if ('channelId' in place) counts.set(place.channelId, (counts.get(place.channelId) ?? 0) + 1)
  for (const [id, increment] of [...counts].sort())
    await tx.channel.update({ where: { id }, data: { messageCount: { increment } }, select: { id: true } })
}

/** An agent answers the copy that it got: in the history that is the message of which it was one. */
async function originalsOf(tx: Tx, orgId: string, taken: Taken[]): Promise<Map<string, string>> {
  const ids = taken.flatMap(({ envelope }) => envelope.replyTo ?? [])
  if (ids.length === 0) return new Map()
  const rows = await tx.personDelivery.findMany({
    where: { orgId, id: { in: ids } },
    select: { id: true, rowId: true },
  })
  return new Map(rows.map(({ id, rowId }) => [id, rowId]))
}

async function moveWatermarks(tx: Tx, { machineId }: Sender, moved: Stream[]): Promise<void> {
  if (moved.length === 0) return
  const rows = moved.map(({ stream, outboxEpoch, next }) => ({
    ...{ stream: plainText(stream), epoch: plainText(outboxEpoch), next },
  }))
  await tx.$executeRaw`
    UPDATE "DashboardWatermark" w SET next = r.next
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r(epoch text, stream text, next int)
    WHERE w."machineId" = ${machineId}::uuid AND w.stream = r.stream AND w."outboxEpoch" = r.epoch`
}
