/** Times as people say them. */

const steps = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const

/** `3h`, `22m`, `5s`: the largest whole unit. */
export function shortDuration(ms: number): string {
  const step = steps.find(([unitMs]) => ms >= unitMs)
  return step ? `${Math.floor(ms / step[0])}${step[1]}` : '0s'
}

/** `3h ago`, or `never`. Clocks of two machines differ a little: the future counts as now. */
export const ago = (at: number | null, now = Date.now()): string =>
  at === null ? 'never' : `${shortDuration(Math.max(0, now - at))} ago`

/** `12.3ms` below a tenth of a second, `61ms`, `1.2s`. */
export function latency(ms: number): string {
  if (ms >= 10_000) return `${Math.round(ms / 1000)}s`
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)}s`
  return `${ms >= 10 ? Math.round(ms) : Number(ms.toFixed(1))}ms`
}
