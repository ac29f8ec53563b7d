/** Times by the day that they are of, as a reader in this time zone counts days. Pure. */
import { clock, pad } from './format.ts'

const DAY = 86_400_000

/** The day of a time, as a value that is equal within a day: `2026-11-24`. */
export function dayKey(at: number, zone: 'utc' | 'local'): string {
  const date = new Date(at)
  const parts =
    zone === 'utc'
      ? [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
      : [date.getFullYear(), date.getMonth() + 1, date.getDate()]
  return parts.map((part) => pad(part)).join('-')
}

/** `Today`, `Yesterday`, `Monday 23 November`, and the year when it is another one. */
export function dayName(at: number, now: number, zone: 'utc' | 'local'): string {
  const key = dayKey(at, zone)
  if (key === dayKey(now, zone)) return 'Today'
  if (key === dayKey(now - DAY, zone)) return 'Yesterday'
  const isThisYear = key.slice(0, 4) === dayKey(now, zone).slice(0, 4)
  return new Date(at)
    .toLocaleDateString('en-GB', {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      ...(!isThisYear && { year: 'numeric' }),
      ...(zone === 'utc' && { timeZone: 'UTC' }),
    })
    .replace(',', '')
}

/** For a narrow column: `14:32` today, `Mon` within a week, else `4 Nov`. */
export function whenShort(at: number, now: number, zone: 'utc' | 'local'): string {
  if (dayKey(at, zone) === dayKey(now, zone)) return clock(at, zone, false).slice(0, 5)
  const utc = zone === 'utc' ? { timeZone: 'UTC' } : {}
  return now - at < 6 * DAY
    ? new Date(at).toLocaleDateString('en-GB', { weekday: 'short', ...utc })
    : new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', ...utc })
}
