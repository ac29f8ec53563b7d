/** Durations as people write them: `500ms`, `30s`, `5m`, `12h`, `7d`. */
const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Milliseconds, or undefined when `text` is not a positive duration with a unit. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text)
  if (!match) return undefined
  const ms = Math.round(Number(match[1]) * unitMs[match[2] as keyof typeof unitMs])
  return ms > 0 ? ms : undefined
}
