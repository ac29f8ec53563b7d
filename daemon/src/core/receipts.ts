/**
 * Receipts of messages that were accepted here, said until the sender's machine answers that it has them on its disk. The
 * disk has which are owed, memory the newest of them.
 */
import type { ErrorCode, Heard, Receipt } from '@agent-relay/protocol'
import type { Frames } from './frames.ts'
import { HEARD_MS, RECEIPT_FIRST_MS, RECEIPT_MAX_MS, RECEIPT_TRIES, RECEIPTS } from './limits.ts'
import { linkTo, pathTo } from './paths.ts'
import { isRemoved } from './roster.ts'
import { type Debt, type Owed, type ReceiptState, type State, wakeBy } from './state.ts'
import type { Turn } from './turn.ts'

export type NewReceipt = {
  n: number
  id: string
  state: ReceiptState
  reason?: ErrorCode
  note?: string
  afterMs?: number
}

/** Of one message only the latest state is owed. What memory has no room for is said once, and again after the next start. */
export function owe(state: State, machine: string, receipt: NewReceipt, turn: Turn): void {
  if (isRemoved(state.roster, machine)) return
  const known = state.debts.get(machine)?.owed.get(receipt.id)
  if (known !== undefined && RANK[known.state] >= RANK[receipt.state]) return
  if (known === undefined) turn.ops.push({ op: 'owed', n: receipt.n })
  debtTo(state, machine).fresh.push(recall(state, machine, receipt))
}

/** What was owed when the last run ended: said again at the first connection. */
export function recall(state: State, machine: string, receipt: NewReceipt): Owed {
  const { owed } = debtTo(state, machine)
  const entry: Owed = { ...receipt, tries: 0, saidAt: Number.NEGATIVE_INFINITY }
  const isKnown = owed.has(receipt.id)
  if (!isKnown && state.owedCount >= RECEIPTS) return entry
  if (!isKnown) state.owedCount++
  owed.set(receipt.id, entry)
  return entry
}

function debtTo(state: State, machine: string): Debt {
  let debt = state.debts.get(machine)
  if (debt === undefined) {
    debt = { machine, owed: new Map(), fresh: [], misses: 0, isReminder: false, sayAt: Number.POSITIVE_INFINITY }
    state.debts.set(machine, debt)
  }
  return debt
}

/** Says what is new, and again what was due to be answered. */
export function sayReceipts(state: State, frames: Frames, turn: Turn): void {
  for (const debt of state.debts.values()) {
    const { fresh } = debt
    const isDue = debt.sayAt <= turn.now
    if (fresh.length > 0 || isDue) {
      debt.fresh = []
      const frame = frames.to(debt.machine)
      for (const owed of frame === undefined ? [] : fresh) say(debt, owed, frame?.receipts ?? [], turn)
      // Whoever is away was told once, which the cloud keeps; the rest when they are back.
      const isHeard = frame !== undefined && (!isDue || isAwake(state, debt.machine))
      if (isDue && isHeard) sayAgain(state, debt, frame.receipts, turn)
      if (!isHeard || debt.owed.size === 0) debt.sayAt = Number.POSITIVE_INFINITY
      else if (isDue || debt.sayAt === Number.POSITIVE_INFINITY) debt.sayAt = turn.now + delayOf(state, debt)
    }
    wakeBy(state, debt.sayAt)
  }
}

function say(debt: Debt, owed: Owed, receipts: Receipt[], turn: Turn): void {
  owed.saidAt = turn.now
  const { id, reason, note, afterMs } = owed
  receipts.push({
    id,
    state: owed.state,
    to: debt.machine,
    ...(reason && { reason }),
    ...(note !== undefined && { note: note.slice(0, 200) }),
    ...(afterMs !== undefined && { afterMs }),
  })
}

/** A round: everything whose answer has had time, but for what was said often enough. A reminder does not count. */
function sayAgain(state: State, debt: Debt, receipts: Receipt[], turn: Turn): void {
  const { isReminder } = debt
  const answerMs = isReminder ? 0 : baseDelay(debt) / 2
  debt.isReminder = false
  const givenUp: Owed[] = []
  for (const owed of debt.owed.values()) {
    if (owed.saidAt > turn.now - answerMs) continue
    if (owed.tries >= RECEIPT_TRIES) {
      givenUp.push(owed)
      continue
    }
    if (!isReminder) owed.tries++
    say(debt, owed, receipts, turn)
  }
  debt.misses = isReminder ? 0 : debt.misses + 1
  settle(state, debt, givenUp, turn)
}

const baseDelay = (debt: Debt): number => Math.min(RECEIPT_MAX_MS, RECEIPT_FIRST_MS * 2 ** Math.min(debt.misses, 20))
const delayOf = (state: State, debt: Debt): number => baseDelay(debt) * (0.5 + state.entropy.unit())

/** Whether somebody is there to answer: a direct link is up, or the roster does not say that the machine is away. */
function isAwake(state: State, machine: string): boolean {
  const path = pathTo(state, linkTo(state, machine))
  return path === 'direct' || (path === 'relay' && state.roster?.machines.get(machine)?.isOnline !== false)
}

/** A path came up: what was said on another one may be lost with that, so all is said again now. */
export function remind(state: State, turn: Turn, isMeant: (debt: Debt) => boolean = () => true): void {
  for (const debt of state.debts.values()) {
    if (debt.owed.size === 0 || !isMeant(debt) || !isAwake(state, debt.machine)) continue
    debt.isReminder = true
    debt.sayAt = turn.now
  }
}

/** Whether it waits for somebody who was away. */
export const isParked = (debt: Debt): boolean => debt.sayAt === Number.POSITIVE_INFINITY

/** Only the machine that sent a message can end what is owed for it. Losing this in a crash repeats a receipt. */
export function heardOf(state: State, from: string, heard: Heard[], turn: Turn): void {
  const debt = state.debts.get(from)
  if (debt === undefined || heard.length === 0) return
  const done: Owed[] = []
  for (const { id, state: said } of heard) {
    const owed = debt.owed.get(id)
    if (owed !== undefined && RANK[said] >= RANK[owed.state]) done.push(owed)
  }
  debt.misses = 0
  settle(state, debt, done, turn)
  if (debt.owed.size === 0) debt.sayAt = Number.POSITIVE_INFINITY
}

const RANK: Record<ReceiptState, number> = { injected: 3, seen: 4, failed: 5 }

function settle(state: State, debt: Debt, done: Owed[], turn: Turn): void {
  const ns: number[] = []
  for (const owed of done) {
    if (debt.owed.get(owed.id) !== owed) continue
    debt.owed.delete(owed.id)
    state.owedCount--
    ns.push(owed.n)
  }
  if (ns.length > 0) turn.ops.push({ op: 'told', ns })
}

/** Nothing is owed to this machine any more: it left the organization. */
export function forgetDebtsTo(state: State, machine: string, turn: Turn): void {
  const debt = state.debts.get(machine)
  if (debt !== undefined) settle(state, debt, [...debt.owed.values()], turn)
  state.debts.delete(machine)
  state.heard.delete(machine)
}

/** Nothing is owed to anybody any more: this machine left their organization. */
export function forgetDebts(state: State, turn: Turn): void {
  for (const machine of state.debts.keys()) forgetDebtsTo(state, machine, turn)
  state.heard.clear()
}

/** A receipt came: it is answered once it is on this disk, together with others. */
export function noteHeard(state: State, from: string, { id, state: said }: Receipt, turn: Turn): void {
  let heard = state.heard.get(from)
  if (heard === undefined) {
    heard = new Map()
    state.heard.set(from, heard)
  }
  const known = heard.get(id)
  if (known === undefined || RANK[known] < RANK[said]) heard.set(id, said)
  if (state.hearAt === Number.POSITIVE_INFINITY) state.hearAt = turn.now + HEARD_MS
}

/**
 * Nobody waits for these, so those of a moment go together: a frame for each turn would cost as much as the messages. Every
 * operation up to this turn is on disk before its effects go out. Without a path nothing is said: the receipt comes again.
 */
export function answerReceipts(state: State, frames: Frames, turn: Turn): void {
  if (state.heard.size === 0) return
  if (turn.now < state.hearAt) {
    wakeBy(state, state.hearAt)
    return
  }
  turn.mustCommit = true
  for (const [machine, heard] of state.heard) {
    const frame = frames.to(machine)
    if (frame !== undefined) for (const [id, said] of heard) frame.heard.push({ id, state: said, to: machine })
  }
  state.heard.clear()
  state.hearAt = Number.POSITIVE_INFINITY
}
