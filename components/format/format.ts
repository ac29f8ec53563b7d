/** Numbers and times as people read them here: the unit after a space, at most three digits that matter. Pure. */

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const digits = (value: number): string =>
  value >= 100 ? String(Math.round(value)) : value >= 10 ? trim(value.toFixed(1)) : trim(value.toFixed(2))

const trim = (text: string): string => text.replace(/\.?0+$/, '')

/** `< 0.1 ms`, `0.4 ms`, `2.9 ms`, `34 ms`, `1.44 s`, `2 min 5 s`, `3 h 4 min`, `2 d 3 h`. */
export function duration(ms: number): string {
  if (ms < 0.1) return '< 0.1 ms'
  if (ms < 10) return `${trim(ms.toFixed(1))} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < MINUTE) return `${digits(ms / 1000)} s`
  const two = (big: number, bigUnit: string, small: number, smallUnit: string): string => {
    const whole = Math.floor(ms / big)
    const rest = Math.floor((ms % big) / small)
    return rest === 0 ? `${whole} ${bigUnit}` : `${whole} ${bigUnit} ${rest} ${smallUnit}`
  }
  if (ms < HOUR) return two(MINUTE, 'min', 1000, 's')
  if (ms < DAY) return two(HOUR, 'h', MINUTE, 'min')
  return two(DAY, 'd', HOUR, 'h')
}

/** How long ago, in one unit: `now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 days ago`, `4 Nov`. */
export function ago(at: number, now: number): string {
  const ms = now - at
  if (ms < 5_000) return 'now'
  if (ms < MINUTE) return `${Math.floor(ms / 1000)} s ago`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ago`
  const days = Math.floor(ms / DAY)
  if (days < 7) return days === 1 ? 'a day ago' : `${days} days ago`
  return new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
}

/** How long since, for sentences: `22 min`, `3 h`. */
export function age(at: number, now: number): string {
  const ms = Math.max(0, now - at)
  if (ms < MINUTE) return `${Math.floor(ms / 1000)} s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  return duration(ms)
}

/** `0 B`, `412 B`, `3.1 KiB`, `256 KiB`. */
export const bytes = (size: number): string => (size < 1024 ? `${size} B` : `${digits(size / 1024)} KiB`)

/** `4,831`. */
export const count = (value: number): string => value.toLocaleString('en-US')

/** `1 machine`, `3 machines`. */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

/** An id cut in the middle: both ends tell it apart, the middle does not. */
export const shortId = (id: string): string => (id.length <= 20 ? id : `${id.slice(0, 13)}…${id.slice(-8)}`)

/** `07`, `042`. */
export const pad = (value: number, width = 2): string => String(value).padStart(width, '0')

/** `14:32:07.412` in the given zone offset; `withMs` false leaves `14:32:07`. */
export function clock(at: number, zone: 'utc' | 'local', withMs: boolean): string {
  const date = new Date(at)
  const [h, m, s] =
    zone === 'utc'
      ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
      : [date.getHours(), date.getMinutes(), date.getSeconds()]
  return `${pad(h)}:${pad(m)}:${pad(s)}${withMs ? `.${pad(date.getUTCMilliseconds(), 3)}` : ''}`
}

const systems: Record<string, string> = { linux: 'Linux', darwin: 'macOS', win32: 'Windows' }

/** The system of a machine as people write it: `linux` is Linux; a name that is not known stays as it is. */
export const system = (platform: string): string =>
  platform.replace(/^[a-z0-9]+/, (name) => systems[name] ?? name) || 'unknown system'
