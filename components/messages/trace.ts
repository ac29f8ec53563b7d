/** A message's hops as bars on one axis. Pure: the picture is decided here and only drawn elsewhere. */
import type { Hop } from '@agent-relay/protocol'
import type { MessageDetail } from '#lib/trpc/views.ts'
import { age, duration } from '../format/format.ts'

/** wire moves, work computes, wait holds, bad failed, stuck holds now. */
export type BarKind = 'wire' | 'work' | 'wait' | 'bad' | 'stuck'

type TraceRow = {
  title: string
  where: string
  kind: BarKind
  /** ms on the axis; null when only the other machine's clock knows. */
  bar: { fromMs: number; toMs: number } | null
  took: string
  at: string
}

export type Trace = { axisMs: number; ticks: string[]; rows: TraceRow[]; summary: string }

const kinds: Record<string, BarKind> = {
  queued: 'work',
  sent: 'work',
  carried: 'wire',
  stored: 'wire',
  accepted: 'wire',
  injected: 'work',
  seen: 'wait',
  retry: 'bad',
  failed: 'bad',
}

const titles: Record<string, string> = {
  queued: 'On disk',
  carried: 'Carried by the relay',
  stored: 'Stored in the mailbox',
  accepted: 'Accepted',
  injected: 'Injected',
  seen: 'Seen',
  failed: 'Failed',
}

const pathWords = { local: 'Same machine', relay: 'Relay', mailbox: 'Mailbox', direct: 'Direct' } as const

function titleOf(hop: Hop): string {
  if (hop.kind === 'sent' || hop.kind === 'retry') {
    const path = hop.path ? pathWords[hop.path] : hop.kind === 'sent' ? 'Sent' : 'Retry'
    return hop.attempt === undefined ? path : `${path}, attempt ${hop.attempt}`
  }
  return titles[hop.kind] ?? `${hop.kind.charAt(0).toUpperCase()}${hop.kind.slice(1)}`
}

/** The bars of `message`; one that is still under way ends with what it waits for, as of `now` (ms since 1970). */
export function readTrace(message: MessageDetail, now: number): Trace {
  let previous = 0
  const rows = message.hops.map((hop): TraceRow => {
    const fromMs = previous
    const isKnown = hop.atMs !== undefined
    const toMs = hop.atMs ?? previous
    previous = Math.max(previous, toMs)
    return {
      title: titleOf(hop),
      where: [hop.where, hop.note].filter(Boolean).join('; '),
      kind: kinds[hop.kind] ?? 'work',
      bar: isKnown ? { fromMs: Math.min(fromMs, toMs), toMs } : null,
      took: isKnown ? duration(Math.max(0, toMs - fromMs)) : '–',
      at: isKnown ? offset(toMs) : 'other clock',
    }
  })
  const reached = previous
  const wait = waitingFor(message)
  const axisMs = niceAxis(wait === null ? reached : reached * 1.06)
  if (wait !== null)
    rows.push({
      ...wait,
      kind: 'stuck',
      bar: { fromMs: Math.max(0, axisMs - axisMs * 0.04), toMs: axisMs },
      took: age(message.updatedAt, now),
      at: offset(reached),
    })
  return { axisMs, ticks: ticksOf(axisMs), rows, summary: summaryOf(message) }
}

function waitingFor(message: MessageDetail): Pick<TraceRow, 'title' | 'where'> | null {
  switch (message.state) {
    case 'queued':
      return { title: 'Not sent yet', where: `waits for a path to ${message.toMachine}` }
    case 'stored':
      return { title: 'Not fetched yet', where: `waits until ${message.toMachine} is back` }
    case 'accepted':
      return { title: 'Not injected yet', where: `waits until ${message.to} can take it` }
    case 'injected':
      return { title: 'Not seen yet', where: `no sign that ${message.to} has read it` }
    default:
      return null
  }
}

function summaryOf(message: MessageDetail): string {
  const tries = Math.max(1, ...message.hops.map((hop) => hop.attempt ?? 1))
  const retries = tries > 1 ? `, ${tries} attempts` : ''
  if (message.tookMs !== null) return `${duration(message.tookMs)} to accepted${retries}`
  return message.state === 'failed' ? `did not arrive${retries}` : `not accepted yet${retries}`
}

const offset = (ms: number): string => `+${(ms / 1000).toFixed(3)} s`

/** The next of 1, 1.5, 2, 3, 5 × 10ⁿ, so that three parts of it are short numbers. */
function niceAxis(ms: number): number {
  const least = Math.max(ms, 0.3)
  const power = 10 ** Math.floor(Math.log10(least))
  const step = [1, 1.5, 2, 3, 5, 6, 9].find((factor) => factor * power >= least - 1e-9)
  return step === undefined ? 10 * power : step * power
}

function ticksOf(axisMs: number): string[] {
  const isSeconds = axisMs >= 1000
  const write = (ms: number) => String(Number((isSeconds ? ms / 1000 : ms).toPrecision(2)))
  return ['0', write(axisMs / 3), write((axisMs * 2) / 3), `${write(axisMs)} ${isSeconds ? 's' : 'ms'}`]
}

/** The same as text, to paste into an issue. */
export function traceAsText(message: MessageDetail, now: number): string {
  const lines = readTrace(message, now).rows.map(
    (row) => `${row.at.padStart(16)}  ${row.took.padStart(9)}  ${row.title}  (${row.where})`,
  )
  return [`${message.id}  ${message.from} → ${message.to}  ${message.state}`, ...lines].join('\n')
}
