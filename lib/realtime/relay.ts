/**
 * Carries what cannot go directly between two machines. A recipient that is here and keeps up gets its envelopes on its
 * socket, and Postgres is not touched; for one that is away or slow they are committed to its mailbox first.
 */
import {
  type Ack,
  type Envelope,
  MAX_BODY_BYTES,
  MAX_SEALED_LENGTH,
  type RelayResult,
  type ReturnBatch,
  type Returned,
  type WireError,
} from '@agent-relay/protocol'
import { DomainError } from '#lib/errors.ts'
import { point } from '#lib/points.ts'
import type { Db, MachineActor } from '#lib/services/context.ts'
import { acknowledgeMail, type OwnAcks } from '#lib/services/messages/acknowledge-mail.ts'
import { MAILBOX_MAX_MESSAGES, type NewMail, storeMail } from '#lib/services/messages/store-mail.ts'
import { createBatcher } from './batcher.ts'
import { createDashboardInbox, type DashboardInbox } from './dashboard-inbox.ts'
import type { Directories, Directory } from './directory.ts'
import type { Log } from './log.ts'
import { type MachineSession, mailKey } from './machine-session.ts'

export type Relay = {
  /** One result per envelope, in order. */
  relay(actor: MachineActor, envelopes: Envelope[]): Promise<RelayResult[]>
  /** @throws DomainError MAILBOX_FULL when a sender is away and no more returns can wait for it */
  giveBack(actor: MachineActor, batch: ReturnBatch): Promise<void>
  /** Where messages for people and channels go. */
  inbox: DashboardInbox
}

type Options = { db: Db; log: Log; directories: Directories; sessions: ReadonlyMap<string, MachineSession> }

/** Frames of one commit; the largest is a batch of MAX_BATCH_BYTES. */
const FRAMES = 16

export function createRelay({ db, log, directories, sessions }: Options): Relay {
  const inbox = createDashboardInbox({
    db,
    log,
    async give({ orgId, machineId }, batch) {
      const returned = { from: orgId, batch }
      if (!giveLive(orgId, machineId, returned)) await store([{ orgId, machineId, returned }])
    },
  })

  // What comes while a batch is being committed goes together in the next: one commit for all senders of a moment.
  const store = createBatcher(async (frames: NewMail[][]) => {
    const stored = await storeMail(db, frames.flat())
    return frames.map((frame) => stored.splice(0, frame.length))
  }, FRAMES)
  const acknowledge = createBatcher(async (said: OwnAcks[]) => {
    const gone = await acknowledgeMail(db, said)
    return said.map(({ machineId }) => gone.get(machineId) ?? [])
  }, FRAMES)

  async function relay(actor: MachineActor, envelopes: Envelope[]): Promise<RelayResult[]> {
    point('relay.taken')
    const directory = await directories.open(actor.orgId)
    // A name just claimed, or a machine just linked, may be newer than the directory: look again before refusing.
    if (envelopes.some((envelope) => isNewsTo(directory, envelope))) await directory.refresh()
    const results: RelayResult[] = []
    const waiting: NewMail[] = []
    for (const envelope of envelopes) {
      const { id, to } = envelope
      const error = objection(directory, actor, envelope)
      const session = sessions.get(to.machine)
      if (error) results.push({ id, state: 'refused', error })
      else if (to.machine === actor.orgId) results.push(inbox.take(actor, envelope))
      else if (session?.takes(envelope)) {
        session.deliver(envelope)
        results.push({ id, state: 'carried' })
      } else {
        session?.fallsBehind(envelope)
        waiting.push({ orgId: actor.orgId, machineId: to.machine, envelope })
        results.push({ id, state: 'stored' })
      }
    }
    if (waiting.length === 0) return results
    point('mailbox.before-commit')
    const stored = await store(waiting)
    point('mailbox.after-commit')
    let nth = 0
    return results.map((result) =>
      result.state === 'stored' && !stored[nth++] ? { id: result.id, state: 'refused', error: full } : result,
    )
  }

  async function giveBack(actor: MachineActor, batch: ReturnBatch): Promise<void> {
    point('return.taken')
    const directory = await directories.open(actor.orgId)
    const returns: NewMail[] = []
    for (const [to, part] of bySender(batch)) {
      if (to === actor.orgId) {
        await inbox.returned(actor, part)
        continue
      }
      const returned = { from: actor.machineId, batch: part }
      if (!giveLive(actor.orgId, to, returned) && directory.machine(to))
        returns.push({ orgId: actor.orgId, machineId: to, returned })
    }
    const storing = returns.length > 0 ? store(returns) : Promise.resolve<boolean[]>([])
    const [stored] = await Promise.all([storing, forget(actor, batch.acks)])
    if (stored.length > 0) point('return.stored')
    if (stored.includes(false))
      throw new DomainError(
        'MAILBOX_FULL',
        `${MAILBOX_MAX_MESSAGES} returns wait for a sender that is away: its messages will be acknowledged again when it is back.`,
      )
  }

  /** False when the machine is away, or slow. */
  function giveLive(orgId: string, machineId: string, returned: Returned): boolean {
    const session = sessions.get(machineId)
    if (session?.ctx.actor.orgId !== orgId || session.isBackedUp) return false
    session.giveReturned(returned)
    return true
  }

  /** Over a socket only streams that came out of the mailbox can have rows in it; over HTTP all of them can. */
  async function forget(actor: MachineActor, acks: Ack[]): Promise<void> {
    const session = sessions.get(actor.machineId)
    const relevant = session ? acks.filter((ack) => session.mailStreams.has(mailKey(ack))) : acks
    if (relevant.length === 0) return
    point('ack.before-delete')
    const gone = await acknowledge({ machineId: actor.machineId, acks: relevant })
    point('ack.after-delete')
    if (!session) return
    for (const id of gone) session.handedOver.delete(id)
    for (const ack of relevant)
      if (ack.upTo >= (session.mailStreams.get(mailKey(ack)) ?? 0)) session.mailStreams.delete(mailKey(ack))
  }

  return { relay, giveBack, inbox }
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
  // The daemons take a person's word from the control plane's own machine only, which does not come by here.
  if (from.user !== undefined)
    return {
      code: 'FORBIDDEN',
      message: `Only the dashboard speaks for a person, and this message says that it comes from @${from.user}.`,
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
  const isLong = envelope.body.length > MAX_BODY_BYTES / 3 && Buffer.byteLength(envelope.body) > MAX_BODY_BYTES
  if (isLong || (envelope.sealed !== undefined && envelope.sealed.data.length > MAX_SEALED_LENGTH))
    return {
      code: 'TOO_LARGE',
      message: `The body is over ${MAX_BODY_BYTES} bytes. Send a shorter one, or a reference.`,
    }
  if (envelope.sealed !== undefined && envelope.body !== '')
    return {
      code: 'BAD_REQUEST',
      message: 'The message has a sealed body and one in the clear. Send the sealed one alone.',
    }
  if (envelope.seq > 0x7fffffff)
    return { code: 'BAD_REQUEST', message: `The sequence number ${envelope.seq} is out of range.` }
  return undefined
}

const full: WireError = {
  code: 'MAILBOX_FULL',
  message: `The recipient is away and its mailbox is full (${MAILBOX_MAX_MESSAGES} messages or 64 MiB). The message stays with its sender and is tried again.`,
}

function bySender({ acks, gaps, receipts, heard = [] }: ReturnBatch): Map<string, ReturnBatch> {
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
  for (const answer of heard) {
    const { heard: known } = part(answer.to)
    if (known) known.push(answer)
    else part(answer.to).heard = [answer]
  }
  return parts
}
