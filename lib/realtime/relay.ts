/**
 * Carries what cannot go directly between two machines. A recipient that is here and keeps up gets its envelopes on its
 * socket, and Postgres is not touched; for one that is away or slow they are committed to its mailbox first.
 */
import {
  type Ack,
  type Envelope,
  MAX_BODY_BYTES,
  type RelayResult,
  type ReturnBatch,
  type WireError,
} from '@agent-relay/protocol'
import { DomainError } from '#lib/errors.ts'
import { point } from '#lib/points.ts'
import type { Db, MachineActor } from '#lib/services/context.ts'
import { acknowledgeMail } from '#lib/services/messages/acknowledge-mail.ts'
import { MAILBOX_MAX_MESSAGES, storeEnvelopes, storeReturn } from '#lib/services/messages/store-mail.ts'
import { publish } from './bus.ts'
import type { Directories, Directory } from './directory.ts'
import { type MachineSession, mailKey } from './machine-session.ts'

export type Relay = {
  /** One result per envelope, in order. */
  relay(actor: MachineActor, envelopes: Envelope[]): Promise<RelayResult[]>
  /** @throws DomainError MAILBOX_FULL when a sender is away and no more returns can wait for it */
  giveBack(actor: MachineActor, batch: ReturnBatch): Promise<void>
}

type Options = { db: Db; directories: Directories; sessions: ReadonlyMap<string, MachineSession> }

export function createRelay({ db, directories, sessions }: Options): Relay {
  async function relay(actor: MachineActor, envelopes: Envelope[]): Promise<RelayResult[]> {
    point('relay.taken')
    const directory = await directories.open(actor.orgId)
    // A name just claimed, or a machine just linked, may be newer than the directory: look again before refusing.
    if (envelopes.some((envelope) => isNewsTo(directory, envelope))) await directory.refresh()
    const results: RelayResult[] = []
    const waiting: Envelope[] = []
    for (const envelope of envelopes) {
      const { id, to } = envelope
      const error = objection(directory, actor, envelope)
      const session = sessions.get(to.machine)
      if (error) results.push({ id, state: 'refused', error })
      else if (session && !session.isBackedUp) {
        session.deliver(envelope)
        results.push({ id, state: 'carried' })
      } else {
        waiting.push(envelope)
        results.push({ id, state: 'stored' })
      }
    }
    if (waiting.length === 0) return results
    point('mailbox.before-commit')
    const stored = await storeEnvelopes(db, actor.orgId, waiting)
    point('mailbox.after-commit')
    publish('mail', { machineIds: [...new Set(waiting.map(({ to }) => to.machine))] })
    return results.map((result) =>
      result.state === 'stored' && !stored.has(result.id) ? { id: result.id, state: 'refused', error: full } : result,
    )
  }

  async function giveBack(actor: MachineActor, batch: ReturnBatch): Promise<void> {
    point('return.taken')
    const directory = await directories.open(actor.orgId)
    let isFull = false
    for (const [to, part] of bySender(batch)) {
      const session = sessions.get(to)
      const returned = { from: actor.machineId, batch: part }
      if (session?.ctx.actor.orgId === actor.orgId && !session.isBackedUp) session.giveReturned(returned)
      else if (directory.machine(to)) {
        if (!(await storeReturn(db, actor.orgId, to, returned))) isFull = true
        point('return.stored')
        publish('mail', { machineIds: [to] })
      }
    }
    await forget(actor, batch.acks)
    if (isFull)
      throw new DomainError(
        'MAILBOX_FULL',
        `${MAILBOX_MAX_MESSAGES} returns wait for a sender that is away: its messages will be acknowledged again when it is back.`,
      )
  }

  /** Over a socket only streams that came out of the mailbox can have rows in it; over HTTP all of them can. */
  async function forget(actor: MachineActor, acks: Ack[]): Promise<void> {
    const session = sessions.get(actor.machineId)
    const relevant = session ? acks.filter((ack) => session.mailStreams.has(mailKey(ack))) : acks
    if (relevant.length === 0) return
    point('ack.before-delete')
    const gone = await acknowledgeMail(db, actor.machineId, relevant)
    point('ack.after-delete')
    if (!session) return
    for (const id of gone) session.handedOver.delete(id)
    for (const ack of relevant)
      if (ack.upTo >= (session.mailStreams.get(mailKey(ack)) ?? 0)) session.mailStreams.delete(mailKey(ack))
  }

  return { relay, giveBack }
}

function isNewsTo(directory: Directory, { from, to }: Envelope): boolean {
  const sender = directory.agent(from.agent)
  return !sender || sender.epoch < from.epoch || !directory.machine(to.machine)
}

/** Why this envelope is not carried; the checks need only its headers. */
function objection(directory: Directory, actor: MachineActor, envelope: Envelope): WireError | undefined {
  const { from, to } = envelope
  if (envelope.org !== actor.orgId || from.machine !== actor.machineId)
    return {
      code: 'FORBIDDEN',
      message: `The message says that it comes from machine ${from.machine} of organization ${envelope.org}, and this key is another's.`,
    }
  const sender = directory.agent(from.agent)
  if (sender?.machine !== actor.machineId || sender.epoch !== from.epoch)
    return {
      code: 'FENCED',
      message: `${from.agent} with epoch ${from.epoch} is not held by this machine: ${sender ? `epoch ${sender.epoch} is current` : 'nobody holds the name'}. Register the name again.`,
    }
  if (!directory.machine(to.machine))
    return {
      code: 'NOT_FOUND',
      message: `The machine ${to.machine} of ${to.agent} is not in this organization any more. Address ${to.agent} again to find where it is now.`,
    }
  if (envelope.body.length > MAX_BODY_BYTES / 3 && Buffer.byteLength(envelope.body) > MAX_BODY_BYTES)
    return {
      code: 'TOO_LARGE',
      message: `The body is over ${MAX_BODY_BYTES} bytes. Send a shorter one, or a reference.`,
    }
  if (envelope.seq > 0x7fffffff)
    return { code: 'BAD_REQUEST', message: `The sequence number ${envelope.seq} is out of range.` }
  return undefined
}

const full: WireError = {
  code: 'MAILBOX_FULL',
  message: `The recipient is away and its mailbox is full (${MAILBOX_MAX_MESSAGES} messages or 64 MiB). The message stays with its sender and is tried again.`,
}

function bySender({ acks, gaps, receipts }: ReturnBatch): Map<string, ReturnBatch> {
  const parts = new Map<string, ReturnBatch>()
  const part = (to: string): ReturnBatch => {
    const known = parts.get(to)
    if (known) return known
    const fresh: ReturnBatch = { acks: [], gaps: [], receipts: [] }
    parts.set(to, fresh)
    return fresh
  }
  for (const ack of acks) part(ack.to).acks.push(ack)
  for (const gap of gaps) part(gap.to).gaps.push(gap)
  for (const receipt of receipts) part(receipt.to).receipts.push(receipt)
  return parts
}
