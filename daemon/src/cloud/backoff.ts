/** How long to wait before the next try to reach the control plane. */

/** First and longest wait; 30 s is also what a person can bear to watch. */
const BACKOFF_BASE_MS = 1000
const BACKOFF_MAX_MS = 30_000

/**
 * Full jitter: random(0, min(30 s, 1 s·2^attempt)) for attempt 0, 1, 2, … Unlike a jitter around a growing delay,
 * it spreads a crowd that lost the same server evenly over the whole wait.
 */
export const backoffMs = (attempt: number, random: () => number): number =>
  random() * Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 30))
