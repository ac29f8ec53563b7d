/** A model of the control plane: carries between those who are there, keeps for those who are not, and forgets its connections in a crash. */
import {
  type AgentClaim,
  type ClaimResult,
  Envelope,
  isPlainEnvelope,
  type RelayResult,
  ReturnBatch,
  type Returned,
  type SignalOut,
  type WireError,
} from '@agent-relay/protocol'
import { WALL_MS } from './machine-clock.ts'
import { createMailbox, mailKey } from './mailbox.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import { createRegistry, deltaOf } from './registry.ts'
import { createSealing } from './sealing.ts'
import type { Session } from './session.ts'
import type { Timeline } from './timeline.ts'

/** Small pages, so that a mailbox takes several. */
const PAGE = 6
/** Changes come in bursts: one delta for all of them. */
const DEBOUNCE_MS = 50
/** How often it says that nothing is newer; in truth every 15 s, but what hangs on it can wait. */
const FRESH_MS = 600_000
/** Whoever carries signals may play one again, so much later at most. */
const REPLAY_MS = 60_000

export type Plane = ReturnType<typeof createPlane>

type Options = { timeline: Timeline; random: Random; network: () => Network; machines: readonly string[] }

export function createPlane({ timeline, random, network, machines }: Options) {
  const now = timeline.now
  const mailbox = createMailbox(now)
  const registry = createRegistry(now, machines)
  const sealing = createSealing(now)
  const sessions = new Map<string, Session>()
  let isRunning = true
  /** Counts the runs, so that what a crashed one began is not finished by the next. */
  let run = 0
  let planned: 'before-commit' | 'after-commit' | undefined
  let downMs = 0
  let isCrowded = false
  let isAnnouncing = false

  const down = (session: Session, isData: boolean, arrive: () => void): void =>
    network().carry({ session, way: 'down', isData, arrive })

  function later(ms: number, act: () => void): void {
    const begun = run
    timeline.at(now() + ms, () => {
      if (run === begun && isRunning) act()
    })
  }

  function open(session: Session): void {
    if (!isRunning || !session.isOpenHere) return
    if (!registry.hasMachine(session.machine)) {
      turnAway(session)
      return
    }
    const old = sessions.get(session.machine)
    if (old !== undefined) network().sever(old, 0, 0)
    sessions.set(session.machine, session)
    session.isOpenThere = true
    registry.isHeard(session.machine, true)
    const roster = registry.roster()
    session.plane.roster = roster
    const { machine } = session
    down(session, false, () =>
      session.end.welcome({
        v: 3,
        machine: { id: machine, name: machine },
        person: machine,
        roster,
        now: Math.floor(WALL_MS + now()),
      }),
    )
    confirm(session)
    announce()
    wake(session)
  }

  /** By what was said so far; it keeps its order. */
  function confirm(session: Session): void {
    if (!session.isOpenThere) return
    const at = Math.floor(WALL_MS + now())
    down(session, false, () => session.end.fresh(at))
    later(FRESH_MS, () => confirm(session))
  }

  function turnAway(session: Session): void {
    session.isOpenThere = false
    down(session, false, () => session.end.refused())
    later(1_000, () => network().sever(session, 0, 0))
  }

  function closed(session: Session): void {
    if (sessions.get(session.machine) !== session) return
    sessions.delete(session.machine)
    registry.isHeard(session.machine, false)
    announce()
  }

  function announce(): void {
    if (isAnnouncing || !isRunning) return
    isAnnouncing = true
    later(DEBOUNCE_MS, () => {
      isAnnouncing = false
      for (const session of sessions.values()) {
        const before = session.plane.roster
        if (before === undefined) continue
        const after = registry.roster()
        if (after.version === before.version) continue
        session.plane.roster = after
        const delta = deltaOf(before, after)
        const at = Math.floor(WALL_MS + now())
        down(session, false, () => {
          session.end.delta(delta)
          session.end.fresh(at)
        })
      }
    })
  }

  /** Hands over what waits, page by page, beside live traffic. */
  function wake(session: Session): void {
    if (session.plane.isDraining) return
    session.plane.isDraining = true
    later(random.between(1, 10), () => drain(session))
  }

  function drain(session: Session): void {
    session.plane.isDraining = false
    if (!session.isOpenThere) return
    const { handedOver, mailStreams } = session.plane
    const page = mailbox.page(session.machine, handedOver, PAGE)
    if (page.length === 0) return
    const envelopes: Envelope[] = []
    for (const mail of page) {
      handedOver.add(mail.id)
      if (mail.kind === 'return') giveReturned(session, mail.returned, mail.id)
      else {
        const { from, stream, outboxEpoch, seq } = mail.envelope
        const key = mailKey({ to: from.machine, stream, outboxEpoch })
        mailStreams.set(key, Math.max(mailStreams.get(key) ?? 0, seq))
        envelopes.push(mail.envelope)
      }
    }
    if (envelopes.length > 0) deliver(session, envelopes)
    wake(session)
  }

  function deliver(session: Session, envelopes: Envelope[]): void {
    const batch = network().torn(session.machine, envelopes)
    down(session, true, () => session.end.deliver(batch))
  }

  /** A return frame out of the mailbox is deleted when a later sign of life shows that it was read. */
  function giveReturned(session: Session, returned: Returned, mail?: number): void {
    down(session, true, () => {
      session.end.returned(returned)
      if (mail === undefined) return
      later(random.between(10, 20_000), () => {
        if (session.isOpenThere) mailbox.remove(mail)
      })
    })
  }

  /** One transaction, and where a crash may come; false when it did. */
  function commit(write: () => void): boolean {
    const point = planned
    planned = undefined
    if (point !== 'before-commit') write()
    if (point === undefined) return true
    crash(downMs)
    return false
  }

  function crash(forMs: number): void {
    if (!isRunning) return
    isRunning = false
    isAnnouncing = false
    run++
    for (const session of [...sessions.values()]) {
      session.isOpenThere = false
      closed(session)
      network().sever(session, random.chance(0.8) ? 5 : random.between(5, 40_000), 0)
    }
    timeline.at(now() + forMs, () => {
      isRunning = true
    })
  }

  function relay(session: Session, envelopes: Envelope[], answer: (results: RelayResult[]) => void): void {
    const results: RelayResult[] = []
    const waiting: Envelope[] = []
    const live = new Map<Session, Envelope[]>()
    for (const envelope of envelopes) {
      if (!isPlainEnvelope(envelope)) Envelope.parse(envelope)
      const { id, to } = envelope
      const recipient = sessions.get(to.machine)
      const error = objection(session, envelope)
      if (error !== undefined) results.push({ id, state: 'refused', error })
      // A recipient that is there and slow gets its mail from the mailbox, too.
      else if (recipient?.isOpenThere && !random.chance(0.1)) {
        live.set(recipient, [...(live.get(recipient) ?? []), envelope])
        results.push({ id, state: 'carried' })
      } else if (isCrowded) results.push({ id, state: 'refused', error: FULL })
      else {
        waiting.push(envelope)
        results.push({ id, state: 'stored' })
      }
    }
    for (const [recipient, batch] of live) deliver(recipient, batch)
    const reply = (): void => down(session, true, () => answer(results))
    if (waiting.length === 0) {
      reply()
      return
    }
    later(random.between(1, 20), () => {
      if (!commit(() => mailbox.store(waiting))) return
      for (const { to } of waiting) wakeFor(to.machine)
      reply()
    })
  }

  function wakeFor(machine: string): void {
    const session = sessions.get(machine)
    if (session !== undefined) wake(session)
  }

  function objection(session: Session, { from, to }: Envelope): WireError | undefined {
    const holder = registry.holder(from.agent)
    if (from.machine !== session.machine) return { code: 'FORBIDDEN', message: `${from.machine} is another's` }
    if (holder?.machine !== session.machine || holder.epoch !== from.epoch)
      return { code: 'FENCED', message: `${from.agent} with epoch ${from.epoch} is not held by this machine` }
    if (!registry.hasMachine(to.machine)) return { code: 'NOT_FOUND', message: `no machine ${to.machine}` }
    return undefined
  }

  function giveBack(session: Session, batch: ReturnBatch): void {
    ReturnBatch.parse(batch)
    for (const [to, part] of bySender(batch)) {
      const returned: Returned = { from: session.machine, batch: part }
      const sender = sessions.get(to)
      if (sender?.isOpenThere && !random.chance(0.1)) giveReturned(sender, returned)
      else
        later(random.between(1, 20), () => {
          if (commit(() => mailbox.storeReturn(to, returned))) wakeFor(to)
        })
    }
    const { mailStreams } = session.plane
    const relevant = batch.acks.filter((ack) => mailStreams.has(mailKey(ack)))
    mailbox.acknowledge(session.machine, relevant)
    for (const ack of relevant) if (ack.upTo >= (mailStreams.get(mailKey(ack)) ?? 0)) mailStreams.delete(mailKey(ack))
  }

  return {
    sealing,
    open,
    closed,
    relay,
    giveBack,
    sync(session: Session, agents: AgentClaim[], answer: (results: ClaimResult[]) => void): void {
      const results = registry.sync(session.machine, agents)
      announce()
      down(session, false, () => answer(results))
    },
    claim(session: Session, agent: AgentClaim, answer: (result: ClaimResult) => void): void {
      const result = registry.claim(session.machine, agent)
      announce()
      down(session, false, () => answer(result))
    },
    setStatus(session: Session, name: string, status: AgentClaim['status']): void {
      registry.setStatus(session.machine, name, status)
      announce()
    },
    release(session: Session, name: string): void {
      registry.release(session.machine, name)
      announce()
    },
    /** Carries it to whoever is there; the answer says whether somebody was. */
    signal(session: Session, { to, ...rest }: SignalOut, answer: (isThere: boolean) => void): void {
      const carry = (): void => {
        const other = sessions.get(to)
        if (other?.isOpenThere) down(other, true, () => other.end.signal({ from: session.machine, ...rest }))
      }
      if (sessions.get(to)?.isOpenThere !== true) {
        down(session, false, () => answer(false))
        return
      }
      carry()
      if (random.chance(0.05)) later(random.below(REPLAY_MS), carry)
    },
    /** The whole roster, for whoever heard that it missed something. */
    giveRoster(session: Session): void {
      const roster = registry.roster()
      session.plane.roster = roster
      down(session, false, () => session.end.roster(roster))
    },
    hasMachine: registry.hasMachine,
    revoke(machine: string): void {
      registry.revoke(machine)
      mailbox.drop(machine)
      const session = sessions.get(machine)
      sessions.delete(machine)
      if (session !== undefined) turnAway(session)
      announce()
    },
    isRunning: () => isRunning,
    crash(point: 'now' | 'before-commit' | 'after-commit', forMs: number): void {
      if (point === 'now') crash(forMs)
      else {
        planned = point
        downMs = forMs
      }
    },
    setCrowded(crowded: boolean): void {
      isCrowded = crowded
    },
    /** From here on nothing goes wrong any more. */
    heal(): void {
      planned = undefined
      isCrowded = false
      isRunning = true
    },
    session: (machine: string) => sessions.get(machine),
    mailbox,
    holderOf: (name: string) => registry.holder(name)?.machine,
  }
}

const FULL: WireError = { code: 'MAILBOX_FULL', message: 'The recipient is away and its mailbox is full.' }

function bySender({ acks, gaps, receipts, heard = [] }: ReturnBatch): Map<string, ReturnBatch> {
  const parts = new Map<string, ReturnBatch>()
  const part = (to: string): ReturnBatch => {
    const known = parts.get(to) ?? { acks: [], gaps: [], receipts: [], heard: [] }
    parts.set(to, known)
    return known
  }
  for (const ack of acks) part(ack.to).acks.push(ack)
  for (const gap of gaps) part(gap.to).gaps.push(gap)
  for (const receipt of receipts) part(receipt.to).receipts.push(receipt)
  for (const one of heard) part(one.to).heard?.push(one)
  return parts
}
