/** From the inbox to the agent: pushed in order within a window, gone only on evidence, pushed again to the next receiver. */
import { nameKey } from '@agent-relay/protocol'
import { PUSH_BYTES, PUSH_MESSAGES } from './limits.ts'
import { owe } from './receipts.ts'
import { type InEntry, type LocalAgent, type State, wakeBy } from './state.ts'
import { answer, type InHeader, type MessageRow, must, type Reply, type Turn } from './turn.ts'

/** Puts a message that was just accepted (or read back at a start) in line for its agent. */
function enqueue(agent: LocalAgent, entry: InEntry): void {
  agent.waiting.set(entry.id, entry)
  agent.unpushed.push(entry)
}

/** Puts a row into the agent's inbox on this machine; it is accepted with the turn's commit. */
export function acceptHere(state: State, agent: LocalAgent, row: MessageRow, turn: Turn): void {
  must(turn, { op: 'message', row })
  enqueue(agent, {
    n: row.n,
    id: row.id,
    sizeBytes: row.sizeBytes,
    fromMachine: row.way === 'in' ? row.fromMachine : undefined,
    fromKey: row.way === 'local' ? nameKey(row.fromAgent) : undefined,
    acceptedAt: row.at,
    expiresAt: row.expiresAt,
    isPushed: false,
    isRepeat: false,
  })
  wakeBy(state, row.expiresAt)
  state.touched.add(agent)
}

/** The turn is on disk since `at`: only now what stays on this machine is accepted. */
export function committed(state: State, turn: Turn, at: number): void {
  for (const op of turn.ops) {
    if (op.op !== 'message' || op.row.way !== 'local') continue
    const entry = state.agents.get(nameKey(op.row.toAgent))?.waiting.get(op.row.id)
    if (entry !== undefined) entry.acceptedAt = at
  }
}

/** Pushes what the receiver's window allows. What was pushed is on disk first, so that a repeat after a crash says so. */
export function push(agent: LocalAgent, turn: Turn): void {
  if (!agent.hasReceiver || agent.unpushed.length === 0) return
  let taken = 0
  let last = -1
  for (const entry of agent.unpushed) {
    if (agent.waiting.get(entry.id) !== entry || entry.isPushed) {
      taken++
      continue
    }
    if (agent.inFlight > 0 && (agent.inFlight >= PUSH_MESSAGES || agent.inFlightBytes + entry.sizeBytes > PUSH_BYTES))
      break
    taken++
    entry.isPushed = true
    agent.inFlight++
    agent.inFlightBytes += entry.sizeBytes
    turn.effects.push({ type: 'deliver', agent: agent.key, n: entry.n, id: entry.id, isRepeat: entry.isRepeat })
    entry.isRepeat = true
    last = entry.n
  }
  if (taken === agent.unpushed.length) agent.unpushed = []
  else if (taken > 0) agent.unpushed.splice(0, taken)
  if (last <= agent.pushedTo) return
  agent.pushedTo = last
  must(turn, { op: 'pushed', name: agent.name, n: last })
}

/** A receiver came or went: what it has not marked is pushed again to the next one, as a repeat. */
export function setReceiver(agent: LocalAgent, isOn: boolean, turn: Turn): void {
  agent.hasReceiver = isOn
  for (const entry of agent.waiting.values()) entry.isPushed = false
  agent.unpushed = [...agent.waiting.values()]
  agent.inFlight = 0
  agent.inFlightBytes = 0
  push(agent, turn)
}

/** Evidence from the agent's side. Marks may be lost in a crash: the message is then repeated, and says so. */
export function mark(
  state: State,
  agent: LocalAgent,
  event: { reply: Reply; ids: string[]; state: 'injected' | 'seen'; known: InHeader[] },
  turn: Turn,
): void {
  let marked = 0
  for (const id of event.ids) {
    const entry = agent.waiting.get(id)
    const header = entry ?? event.known.find((known) => known.id === id)
    if (header === undefined) continue
    marked++
    if (entry !== undefined) remove(agent, entry)
    turn.ops.push({
      op: 'state',
      n: header.n,
      state: event.state,
      at: turn.now,
      isOpen: false,
      ...(entry?.fromKey !== undefined && { acceptedAt: entry.acceptedAt }),
    })
    tellSender(state, header, event.state, turn)
  }
  push(agent, turn)
  answer(turn, event.reply, { type: 'marked', marked })
}

export function remove(agent: LocalAgent, entry: InEntry): void {
  agent.waiting.delete(entry.id)
  if (!entry.isPushed) return
  agent.inFlight--
  agent.inFlightBytes -= entry.sizeBytes
}

function tellSender(
  state: State,
  header: { n: number; id: string; fromMachine: string | undefined; acceptedAt: number },
  to: 'injected' | 'seen',
  turn: Turn,
): void {
  const { n, id, fromMachine } = header
  if (fromMachine === undefined) turn.effects.push({ type: 'progress', id, state: to })
  else owe(state, fromMachine, { n, id, state: to, afterMs: Math.max(0, turn.now - header.acceptedAt) }, turn)
}
