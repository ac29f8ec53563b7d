/**
 * Connections to this machine that have not proved anything yet. They are bounded, and the oldest gives way: an honest one is
 * through within a few round trips, so what is old here is most likely somebody who only holds a place.
 */

/** Of all: some 50 KB of TLS each. */
const MAX_HALF_OPEN = 256
/** Of one address, behind which there may be an office. */
const MAX_HALF_OPEN_OF_ONE = 64

type Entry = { group: string; drop(): void }

export type HalfOpen = {
  /** `drop` ends it when it must give way. The answer takes it off the list, and may be called again. */
  enter(address: string, drop: () => void): () => void
  count(): number
}

export function createHalfOpen(max = MAX_HALF_OPEN, maxOfOne = MAX_HALF_OPEN_OF_ONE): HalfOpen {
  const entries = new Set<Entry>()

  return {
    enter(address, drop) {
      const group = groupOf(address)
      const same = [...entries].filter((entry) => entry.group === group)
      const oldest = same.length >= maxOfOne ? same[0] : entries.size >= max ? entries.values().next().value : undefined
      if (oldest !== undefined) {
        entries.delete(oldest)
        oldest.drop()
      }
      const entry = { group, drop }
      entries.add(entry)
      return () => void entries.delete(entry)
    },
    count: () => entries.size,
  }
}

/** An IPv4 address, or the /64 of an IPv6 one: nobody is given less, so one host may have all of it. */
export function groupOf(address: string): string {
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (v4 !== undefined) return v4
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  return [...before, ...Array.from({ length: zeros }, () => '0'), ...after].slice(0, 4).join(':')
}
