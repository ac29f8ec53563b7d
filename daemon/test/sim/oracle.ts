/**
 * Knows of every message what was promised and what became of it, and objects the moment that something is wrong: each one in
 * the right inbox once and in order, or one failure told to its sender; nothing promised before it is on disk.
 */
import { nameKey, type ReturnBatch } from '@agent-relay/protocol'
import { RELAY_SENDER } from '../../src/core/failure.ts'
import type { Answer, MessageRow, Op } from '../../src/core/turn.ts'
import { createLinkOracle } from './link-oracle.ts'

/** What the simulator finds. `rule` is one of a few words, so that a shrunk schedule is known to fail in the same way. */
export class Violation extends Error {
  readonly rule: string

  constructor(rule: string, text: string) {
    super(`${rule}: ${text}`)
    this.rule = rule
  }
}

/** Between the moment that a message was asked for and its turn. */
const SLACK_MS = 10

type Message = {
  id: string
  /** The number that its body says: the order of sending. */
  k: number
  from: { machine: string; key: string; disk: number }
  to: { machine: string; key: string }
  ttlMs: number
  isAnswered: boolean
  /** Its sender's disk says that it was accepted. */
  isConfirmed: boolean
  /** In which inbox it is now, and the place there. */
  inbox: { machine: string; n: number } | undefined
  isDead: boolean
  /** Failures told to its sender. */
  notices: number
  isMoved: boolean
  /** Why nobody can say any more what became of it. */
  isExcused: boolean
}

type Disk = {
  /** Counts the disks that this machine had. */
  number: number
  /** Of its outbox. */
  epoch: string
  marks: Map<string, number>
  /** By place in this machine's message table. */
  rows: Map<number, Message>
  /** The number of the last message in each inbox, by sender and recipient. */
  lastK: Map<string, number>
  handed: Set<string>
  /** How much earlier a time to live may end here than it should. */
  blurMs: number
}

export type Oracle = ReturnType<typeof createOracle>

export function createOracle(now: () => number, machines: readonly string[]) {
  const messages = new Map<string, Message>()
  const disks = new Map<string, Disk>(machines.map((id) => [id, newDisk(0)]))
  const homes = new Map<string, Set<string>>()
  const revoked = new Set<string>()
  let bodies = 0
  /** By the number in the body. */
  const askedAt = new Map<number, number>()
  let said = 0

  let first: unknown

  /** The first objection stays, for whoever it is thrown at may take it for a failed disk. */
  function object(rule: string, text: string): never {
    first ??= new Violation(rule, text)
    throw first
  }

  const diskOf = (machine: string): Disk => disks.get(machine) as Disk

  /** Whether this is the outbox of the disk that the machine has now. */
  const isLive = (machine: string, epoch: string): boolean => diskOf(machine).epoch === epoch

  function committed(machine: string, ops: readonly Op[]): void {
    const disk = diskOf(machine)
    for (const op of ops) {
      if (op.op === 'message') inserted(machine, disk, op.row)
      else if (op.op === 'watermark') disk.marks.set(markKey(op.machine, op.outboxEpoch, op.stream), op.next)
      else if (op.op === 'move') {
        const message = disk.rows.get(op.n)
        if (message !== undefined) {
          message.isMoved = true
          message.to.machine = op.machine
        }
      } else if (op.op === 'state') {
        const message = disk.rows.get(op.n)
        if (message?.from.machine === machine && op.state === 'accepted') message.isConfirmed = true
        if (op.state === 'failed' && message?.inbox?.machine === machine && message.inbox.n === op.n)
          message.isDead = true
      }
    }
  }

  function inserted(machine: string, disk: Disk, row: MessageRow): void {
    if (row.fromAgent === RELAY_SENDER) {
      notified(machine, row)
      return
    }
    if (row.way !== 'in') queued(machine, disk, row)
    if (row.way !== 'out' && row.state !== 'failed') arrived(machine, disk, row)
  }

  function queued(machine: string, disk: Disk, row: MessageRow): void {
    const message: Message = {
      id: row.id,
      k: Number(row.body.split(' ')[0]),
      from: { machine, key: nameKey(row.fromAgent), disk: disk.number },
      to: { machine: row.toMachine, key: nameKey(row.toAgent) },
      ttlMs: row.expiresAt - row.at,
      isAnswered: false,
      isConfirmed: row.way === 'local',
      inbox: undefined,
      isDead: false,
      notices: 0,
      isMoved: false,
      isExcused: revoked.has(machine),
    }
    if (messages.has(row.id)) object('twice', `${row.id} was queued a second time`)
    messages.set(row.id, message)
    disk.rows.set(row.n, message)
  }

  function arrived(machine: string, disk: Disk, row: MessageRow): void {
    const message = messages.get(row.id)
    const key = nameKey(row.toAgent)
    if (message === undefined) object('unexpected', `${row.id} is in an inbox on ${machine} and nobody sent it`)
    const where = `#${message.k} from ${message.from.key} to ${message.to.key}`
    if (message.to.key !== key || message.to.machine !== machine)
      object('astray', `${where} is in the inbox of ${key} on ${machine}`)
    if (Number(row.body.split(' ')[0]) !== message.k) object('unexpected', `${where} has another's body`)
    if (message.inbox !== undefined) object('twice', `${where} is in an inbox a second time`)
    message.inbox = { machine, n: row.n }
    disk.rows.set(row.n, message)
    if (message.isMoved) return
    const pair = `${message.from.machine} ${message.from.disk} ${message.from.key} ${key}`
    const last = disk.lastK.get(pair) ?? -1
    if (message.k < last) object('order', `${where} came after #${last}`)
    disk.lastK.set(pair, message.k)
  }

  function notified(machine: string, row: MessageRow): void {
    const id = /^Message (\S+) to /.exec(row.body)?.[1]
    if (id === undefined) return
    const message = messages.get(id)
    if (message === undefined) object('unexpected', `a notice of ${id}, which nobody sent`)
    const what = `#${message.k} from ${message.from.key} to ${message.to.key}`
    if (message.from.machine !== machine || message.from.key !== nameKey(row.toAgent))
      object('astray', `the failure of ${what} was told to ${row.toAgent} on ${machine}`)
    if (++message.notices > 1) object('told twice', `the failure of ${what}: ${row.body}`)
    if (row.body.includes('its time to live ended')) expired(message, what)
  }

  /** Clocks of two machines are never compared, and what a clock was set to counts only across a boot. */
  function expired(message: Message, what: string): void {
    const blurMs = diskOf(message.from.machine).blurMs + diskOf(message.to.machine).blurMs
    const lived = now() - (askedAt.get(message.k) ?? 0)
    if (lived + blurMs < message.ttlMs - SLACK_MS)
      object('too early', `${what} expired after ${lived} ms of ${message.ttlMs} ms`)
  }

  return {
    links: createLinkOracle(object),
    committed,
    /** A body that names its message, of about this size, which is asked for now. */
    body(sizeBytes: number): string {
      askedAt.set(bodies, now())
      const head = `${bodies++} `
      return head + 'x'.repeat(Math.max(1, sizeBytes - head.length))
    },
    answered(machine: string, answer: Answer): void {
      if (answer.type !== 'sent') return
      for (const { id } of answer.messages) {
        const message = messages.get(id)
        if (message?.from.machine !== machine || message.from.disk !== diskOf(machine).number)
          object('too soon', `${id} was answered as queued and is not on the disk of ${machine}`)
        message.isAnswered = true
      }
    },
    /** A frame with messages leaves this machine. */
    relayed(machine: string): void {
      if (!revoked.has(machine)) said++
    },
    returned(machine: string, batch: ReturnBatch): void {
      // A hole that only a lost disk could fill, or a machine that lost the name or was removed, is asked for ever less often until it expires.
      const isVain = batch.gaps.every(
        ({ to, outboxEpoch, stream }) =>
          revoked.has(to) || !isLive(to, outboxEpoch) || homes.has(stream.split('>')[0] ?? ''),
      )
      const isNews = batch.acks.length + batch.receipts.length + (batch.heard?.length ?? 0) > 0 || !isVain
      if (isNews && !revoked.has(machine)) said++
      for (const { to, outboxEpoch, stream, upTo } of batch.acks) {
        const next = diskOf(machine).marks.get(markKey(to, outboxEpoch, stream)) ?? 0
        if (upTo >= next)
          object('too soon', `${machine} acknowledges ${stream} up to ${upTo} and its disk is at ${next}`)
      }
    },
    isLive,
    /** Whether its sender was told that it failed: then nobody has to take it out of a mailbox. */
    isFailed: (id: string): boolean => (messages.get(id)?.notices ?? 0) > 0,
    /** A daemon runs under this outbox epoch. */
    starts(machine: string, epoch: string): void {
      diskOf(machine).epoch = epoch
    },
    /** A machine has this disk now; what the one before held is lost. */
    opened(machine: string): void {
      const old = diskOf(machine)
      disks.set(machine, { ...newDisk(old.number + 1), blurMs: old.blurMs })
      for (const message of messages.values()) {
        const isHere = message.inbox?.machine === machine
        if (message.from.machine === machine || isHere) message.isExcused = true
        if (isHere) message.inbox = undefined
      }
    },
    /** It is not one of the organization's any more: what it had to send may arrive or not, and what it got is its own affair. */
    revoked(machine: string): void {
      revoked.add(machine)
      for (const message of messages.values()) if (message.from.machine === machine) message.isExcused = true
    },
    isRevoked: (machine: string): boolean => revoked.has(machine),
    handed(machine: string, key: string, id: string, isRepeat: boolean): void {
      const disk = diskOf(machine)
      if (disk.handed.has(`${key} ${id}`) && !isRepeat)
        object('handed over', `${id} was handed to ${key} again without a word that it is a repeat`)
      disk.handed.add(`${key} ${id}`)
    },
    moved(key: string, machine: string): void {
      homes.set(key, (homes.get(key) ?? new Set()).add(machine))
    },
    /** What the wall clock was set to meanwhile is taken for time that passed. */
    blurred(machine: string, ms: number): void {
      diskOf(machine).blurMs += ms
    },
    /** A full disk kept the daemon from knowing how much time had passed since its last run. */
    lostCount(machine: string): void {
      diskOf(machine).blurMs = Number.POSITIVE_INFINITY
    },
    /** The shipped code has caught what it should never meet. */
    defect(error: unknown): void {
      first ??= error
    },
    /** Throws what was found, also when somebody has caught it meanwhile. */
    check(): void {
      if (first !== undefined) throw first
    },
    /** After the quiet end: what was queued has arrived, or its sender was told. */
    settled(): void {
      for (const message of messages.values()) {
        const { from, to, inbox, notices, isExcused } = message
        const what = `#${message.k} from ${from.key} on ${from.machine} to ${to.key} on ${to.machine}`
        if (isExcused) continue
        if (inbox === undefined && notices === 0) {
          const promise = message.isAnswered ? 'was answered as queued' : 'is on its disk'
          object('lost', `${what} ${promise}, and neither arrived nor failed`)
        }
        if (!message.isConfirmed && notices === 0)
          object('not confirmed', `${what} arrived and its sender does not know`)
        if (revoked.has(to.machine)) continue
        if (message.isDead && notices === 0) object('not told', `${what} failed in its inbox`)
        const isHanded = inbox !== undefined && diskOf(inbox.machine).handed.has(`${to.key} ${message.id}`)
        if (inbox !== undefined && !message.isDead && !isHanded && !homes.has(to.key))
          object('not handed over', `${what} is in its inbox`)
      }
    },
    /** For the final look at what the disks really hold. */
    inboxOf: (machine: string, key: string): string[] =>
      [...messages.values()]
        .filter(({ inbox, to, isDead }) => inbox?.machine === machine && to.key === key && !isDead)
        .sort((a, b) => (a.inbox?.n ?? 0) - (b.inbox?.n ?? 0))
        .map(({ id }) => id),
    said: () => said,
    /** Name keys. */
    recipientsOf: (key: string): Set<string> =>
      new Set([...messages.values()].filter(({ from }) => from.key === key).map(({ to }) => to.key)),
    count: () => messages.size,
  }
}

const newDisk = (number: number): Disk => ({
  number,
  epoch: '',
  marks: new Map(),
  rows: new Map(),
  lastK: new Map(),
  handed: new Set(),
  blurMs: 0,
})

const markKey = (machine: string, outboxEpoch: string, stream: string): string => `${machine} ${outboxEpoch} ${stream}`
