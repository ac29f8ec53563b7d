/**
 * How old the roster is: since when nobody is known to have been its control plane's newest word. Counted by `now`, which is
 * time that really passed. A statement counts from when it was said, not from when it came, so that one which somebody kept and
 * says again later makes nothing young.
 */
import { ROSTER_HARD_MS, ROSTER_SOFT_MS } from '@agent-relay/protocol'
import { type Freshness, type State, unconfirmed } from './state.ts'
import type { Turn } from './turn.ts'

/** What is on disk is at most this much older than what is known: a restart makes the roster older by it, never younger. */
const WRITE_MS = 60_000

/** The roster was the newest at `at`, ms since 1970 on the control plane's clock. */
export function confirm(state: State, at: number, turn: Turn): void {
  const { freshness } = state
  const lagMs = turn.now - at
  freshness.lagMs = Math.min(freshness.lagMs, lagMs)
  // A clock that is behind ours explains a lag; one that is ahead explains none, and could hide how old a statement is.
  const saidAt = Math.min(turn.now, turn.now - lagMs + Math.max(0, freshness.lagMs))
  if (state.roster === null || (freshness.at !== null && saidAt <= freshness.at)) return
  freshness.at = saidAt
  if (saidAt - freshness.writtenAt < WRITE_MS) return
  freshness.writtenAt = saidAt
  turn.ops.push({ op: 'meta', key: 'freshness', value: freshnessText(freshness) })
}

/** Of another organization nothing was ever confirmed. */
export function forgetFreshness(state: State, turn: Turn): void {
  state.freshness = unconfirmed()
  turn.ops.push({ op: 'meta', key: 'freshness', value: null })
}

/** As the disk has it; null when there is nothing to keep. */
export const freshnessText = ({ at, lagMs }: Freshness): string | null =>
  at === null ? null : JSON.stringify({ at, lagMs })

/** What `freshnessText` wrote; unconfirmed for anything else. */
export function readFreshness(text: string | undefined): Freshness {
  const { at, lagMs } = (JSON.parse(text ?? 'null') ?? {}) as { at?: unknown; lagMs?: unknown }
  return typeof at === 'number' && typeof lagMs === 'number' ? { at, lagMs, writtenAt: at } : unconfirmed()
}

/** The same by a clock that was moved by `shiftMs` and says `now`; what would be in its future is of now. */
export const movedFreshness = ({ at, lagMs, writtenAt }: Freshness, shiftMs: number, now: number): Freshness => ({
  at: at === null ? null : Math.min(at + shiftMs, now),
  lagMs: lagMs + shiftMs,
  writtenAt,
})

/** ms since the roster was last confirmed; Infinity when it never was, or when there is none. */
export function rosterAgeMs({ roster, freshness }: State, now: number): number {
  if (roster === null || freshness.at === null) return Number.POSITIVE_INFINITY
  return Math.max(0, now - freshness.at)
}

/** Whether the roster is so old that people should know. */
export const isRosterSoft = (state: State, now: number): boolean => rosterAgeMs(state, now) >= ROSTER_SOFT_MS
/** Whether the roster is too old for links: whoever is removed would go on being believed. */
export const isRosterHard = (state: State, now: number): boolean => rosterAgeMs(state, now) >= ROSTER_HARD_MS
