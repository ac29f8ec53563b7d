/**
 * Time to live is time that really passed on this machine, awake, asleep or off; never what somebody set its clock to. Within
 * a run the caller's clock counts it. Across runs three clocks, written down together, tell it as well as can be known.
 */

/** The wall clock, ms since 1970, and the time since this machine was booted, sleep included, which nobody can set. */
export type Reading = { wallMs: number; uptimeMs: number }

/** What the core's clock said at a reading. */
export type ClockMark = Reading & { nowMs: number }

/**
 * How much time passed since the mark.
 *
 * As long as the machine was not booted anew, the uptime knows, whatever the wall clock did. After a boot only the wall clock
 * knows how long the machine was off, and at least the time since that boot has passed. When the uptime has grown, that may
 * all the same be a later boot that has lasted longer already: then what it says is too little, and a message lives longer
 * than it should rather than ending before its time.
 */
export function elapsedSince(mark: Reading, reading: Reading): number {
  const uptimeMs = reading.uptimeMs - mark.uptimeMs
  if (uptimeMs >= 0) return uptimeMs
  return Math.max(reading.wallMs - mark.wallMs, reading.uptimeMs)
}

/**
 * By how much every time to live that waits on disk has to be moved for a clock that starts at the wall clock's time: then as
 * much of it remains as did at the mark, less what passed since. Never more than remained, so never beyond what it was given.
 */
export const shiftAtStart = (mark: ClockMark, reading: Reading): number =>
  reading.wallMs - (mark.nowMs + elapsedSince(mark, reading))

/**
 * The same for what must never look younger than it is: of what uptime and wall clock say, the longer time passed. A wall clock
 * that was set ahead makes it older than it is.
 */
export const shiftAtMost = (mark: ClockMark, reading: Reading): number =>
  reading.wallMs - (mark.nowMs + Math.max(elapsedSince(mark, reading), reading.wallMs - mark.wallMs))
