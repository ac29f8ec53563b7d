/** From what an agent said to rows on disk: one message per recipient, each with its place in its stream. */
import { BROADCAST_TTL_MS, DEFAULT_TTL_MS, MAX_BODY_BYTES, type WireError } from '@agent-relay/protocol'
import { claimToSpeak, speaks } from './agents.ts'
import { acceptHere } from './hand-over.ts'
import { INBOX_MESSAGES, OUTBOX_BYTES, OUTBOX_MESSAGES } from './limits.ts'
import { appendToStream } from './outbox.ts'
import { resolve, type Target } from './routing.ts'
import { type LocalAgent, type State, selfId, selfPerson } from './state.ts'
import { answer, type MessageRow, refuse, type SendEvent, type SentView, type Turn } from './turn.ts'
import { machineName, noteOfSent } from './words.ts'

/** Queues one message per recipient and answers once for all; a refusal queues nothing. */
export function send(state: State, event: SendEvent, turn: Turn): void {
  const sender = state.agents.get(event.from)
  if (sender === undefined || sender.claim === 'refused') {
    refuse(turn, event.reply, noSender(event.from))
    return
  }
  if (event.sizeBytes > MAX_BODY_BYTES) {
    refuse(turn, event.reply, {
      code: 'TOO_LARGE',
      message: `The message has ${event.sizeBytes} bytes and the limit is ${MAX_BODY_BYTES} (256 KiB): send a shorter text, or put it in a file and send its path.`,
      details: { sizeBytes: event.sizeBytes, limitBytes: MAX_BODY_BYTES },
    })
    return
  }
  if (event.sizeBytes === 0) {
    refuse(turn, event.reply, { code: 'BAD_REQUEST', message: 'The message is empty: give it a text.' })
    return
  }
  const resolved = resolve(state, sender, event.to)
  if (!resolved.ok) {
    refuse(turn, event.reply, resolved.error)
    return
  }
  const full = isFull(state, resolved.targets, event.sizeBytes)
  if (full !== undefined) {
    refuse(turn, event.reply, full)
    return
  }
  const messages: SentView[] = []
  const hasSpoken = !sender.isConfirmed && speaks(state, sender.key)
  const ttlMs = event.ttlMs ?? defaultTtlMs(resolved.via)
  let trace: string | null = null
  for (const target of resolved.targets) {
    const row = rowOf(state, event, sender, target, turn.now, ttlMs)
    row.via = resolved.via ?? null
    trace ??= row.id
    row.trace = trace
    messages.push(queue(state, sender, target, row, turn))
  }
  if (messages.some((message) => message.state === 'queued')) claimToSpeak(state, sender, hasSpoken, turn)
  answer(turn, event.reply, { type: 'sent', id: trace ?? '', messages })
}

/** A broadcast is stale after a day; a channel's members read what was said in it, as a person reads their inbox. */
const defaultTtlMs = (via: string | undefined): number =>
  via === undefined || via.startsWith('#') ? DEFAULT_TTL_MS : BROADCAST_TTL_MS

function queue(state: State, sender: LocalAgent, target: Target, row: MessageRow, turn: Turn): SentView {
  const here = target.machine === selfId(state) ? state.agents.get(target.key) : undefined
  if (here !== undefined) {
    row.way = 'local'
    row.state = 'accepted'
    acceptHere(state, here, row, turn)
    turn.effects.push({ type: 'progress', id: row.id, state: 'accepted' })
  } else {
    appendToStream(state, row, sender.key, target.key, turn)
    turn.effects.push({ type: 'progress', id: row.id, state: 'queued' })
  }
  return {
    id: row.id,
    agent: target.name,
    machine: machineName(state, target.machine),
    state: row.state,
    note: noteOfSent(state, sender, target, turn.now),
  }
}

function rowOf(
  state: State,
  event: SendEvent,
  sender: LocalAgent,
  target: Target,
  now: number,
  ttlMs: number,
): MessageRow {
  const at = event.at ?? now
  return {
    n: state.nextN++,
    id: state.entropy.id(now),
    way: 'out',
    state: 'queued',
    fromAgent: sender.name,
    fromMachine: selfId(state),
    fromPerson: selfPerson(state),
    fromProject: sender.project,
    toAgent: target.name,
    toMachine: target.machine,
    project: target.project,
    via: null,
    thread: event.thread ?? null,
    replyTo: event.replyTo ?? null,
    stream: null,
    seq: null,
    trace: null,
    ts: Math.floor(at),
    at,
    expiresAt: now + ttlMs,
    body: event.body,
    sizeBytes: event.sizeBytes,
    reason: null,
  }
}

function isFull(state: State, targets: Target[], sizeBytes: number): WireError | undefined {
  let remote = 0
  for (const target of targets) {
    if (target.machine !== selfId(state)) {
      remote++
      continue
    }
    const waiting = state.agents.get(target.key)?.waiting.size ?? 0
    if (waiting >= INBOX_MESSAGES)
      return {
        code: 'MAILBOX_FULL',
        message: `${target.name} has ${waiting} messages waiting and takes no more: start it, or read them with: agent-relay inbox ${target.name}`,
      }
  }
  if (remote === 0) return undefined
  if (state.outCount + remote <= OUTBOX_MESSAGES && state.outBytes + remote * sizeBytes <= OUTBOX_BYTES)
    return undefined
  return {
    code: 'OUTBOX_FULL',
    message: `${state.outCount} messages (${Math.round(state.outBytes / 1024)} KiB) to other machines already wait here, at most ${OUTBOX_MESSAGES} may: see why they wait with: agent-relay status`,
    details: { queued: state.outCount, limit: OUTBOX_MESSAGES },
  }
}

const noSender = (key: string): WireError => ({
  code: 'NOT_FOUND',
  message: `The name ${JSON.stringify(key)} is not held on this machine any more: register it again, such as with agent-relay run.`,
})
