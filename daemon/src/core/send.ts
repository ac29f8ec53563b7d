/** From what an agent said to rows on disk: one message per recipient, each with its place in its stream. */
import { BROADCAST_TTL_MS, DEFAULT_TTL_MS, MAX_BODY_BYTES, nameKey, type WireError } from '@agent-relay/protocol'
import { claimToSpeak, speaks } from './agents.ts'
import { acceptHere } from './hand-over.ts'
import { INBOX_MESSAGES, OUTBOX_BYTES, OUTBOX_MESSAGES } from './limits.ts'
import { appendToStream } from './outbox.ts'
import { resolve, type Target } from './routing.ts'
import { type LocalAgent, type State, selfId, selfPerson } from './state.ts'
import { answer, type MessageRow, refuse, type SendEvent, type SentView, type Turn } from './turn.ts'
import { machineName, noteOfSent } from './words.ts'

/** What is to be sent: by whom, to which address. */
type Draft = Omit<SendEvent, 'type' | 'reply'> & { /** The dead letter in whose place it goes. */ retryOf?: string }

type Queued = { ok: true; id: string; messages: SentView[] } | { ok: false; error: WireError }

/** Answers once for all recipients; a refusal queues nothing. */
export function send(state: State, event: SendEvent, turn: Turn): void {
  const queued = queueAll(state, event, turn)
  if (queued.ok) answer(turn, event.reply, { type: 'sent', id: queued.id, messages: queued.messages })
  else refuse(turn, event.reply, queued.error)
}

/** Queues one message per recipient, or none. */
export function queueAll(state: State, draft: Draft, turn: Turn): Queued {
  const sender = state.agents.get(draft.from)
  if (sender === undefined || sender.claim === 'refused') return no(noSender(draft.from))
  if (draft.sizeBytes > MAX_BODY_BYTES) return no(tooLarge(draft.sizeBytes))
  if (draft.sizeBytes === 0) return no({ code: 'BAD_REQUEST', message: 'The message is empty: give it a text.' })
  const resolved = resolve(state, sender, draft.to)
  if (!resolved.ok) return resolved
  const targets = draft.retryOf === undefined ? resolved.targets : theOne(resolved.targets, draft.to)
  const full = isFull(state, targets, draft.sizeBytes)
  if (full !== undefined) return no(full)
  const messages: SentView[] = []
  const hasSpoken = !sender.isConfirmed && speaks(state, sender.key)
  const ttlMs = draft.ttlMs ?? defaultTtlMs(resolved.via)
  let trace: string | null = null
  for (const target of targets) {
    const row = rowOf(state, draft, sender, target, turn.now, ttlMs)
    row.via = resolved.via ?? null
    trace ??= row.id
    row.trace = trace
    messages.push(queue(state, sender, target, row, turn))
  }
  if (messages.some((message) => message.state === 'queued')) claimToSpeak(state, sender, hasSpoken, turn)
  return { ok: true, id: trace ?? '', messages }
}

const no = (error: WireError): Queued => ({ ok: false, error })

/** A dead letter is one copy: of a channel's, the history may lack it while the members have theirs. */
const theOne = (targets: Target[], to: string): Target[] => targets.filter(({ key }) => key === nameKey(to))

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

function rowOf(state: State, draft: Draft, sender: LocalAgent, target: Target, now: number, ttlMs: number): MessageRow {
  const at = draft.at ?? now
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
    thread: draft.thread ?? null,
    replyTo: draft.replyTo ?? null,
    stream: null,
    seq: null,
    trace: null,
    ts: Math.floor(at),
    at,
    expiresAt: now + ttlMs,
    body: draft.body,
    sizeBytes: draft.sizeBytes,
    reason: null,
    retryOf: draft.retryOf ?? null,
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

const tooLarge = (sizeBytes: number): WireError => ({
  code: 'TOO_LARGE',
  message: `The message has ${sizeBytes} bytes and the limit is ${MAX_BODY_BYTES} (256 KiB): send a shorter text, or put it in a file and send its path.`,
  details: { sizeBytes, limitBytes: MAX_BODY_BYTES },
})

const noSender = (key: string): WireError => ({
  code: 'NOT_FOUND',
  message: `The name ${JSON.stringify(key)} is not held on this machine any more: register it again, such as with agent-relay run.`,
})
