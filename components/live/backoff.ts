/** Full jitter: a crowd that lost the same server does not come back in step. ms for the n-th try, n from 0. */
export const backoffMs = (attempt: number, random: () => number = Math.random): number =>
  random() * Math.min(30_000, 1000 * 2 ** attempt)
