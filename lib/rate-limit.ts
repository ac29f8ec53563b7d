/** Counts per key in windows of time, in this process's memory. On globalThis: Next's bundle and server.ts count together. */
import { DomainError } from '#lib/errors.ts'

export type RateLimit = { name: string; count: number; windowMs: number }

type Window = { count: number; endsAt: number }

/** Beyond this many keys the finished windows are swept, so that a crowd of addresses cannot fill the memory. */
const sweepAt = 10_000

const symbol = Symbol.for('agent-relay.rate-limit')
const shared = globalThis as { [symbol]?: Map<string, Window> }

function windowOf(limit: RateLimit, key: string, now: number): Window {
  shared[symbol] ??= new Map()
  const windows = shared[symbol]
  const id = `${limit.name}:${key}`
  let window = windows.get(id)
  if (!window || window.endsAt <= now) {
    if (windows.size >= sweepAt) for (const [other, { endsAt }] of windows) if (endsAt <= now) windows.delete(other)
    window = { count: 0, endsAt: now + limit.windowMs }
    windows.set(id, window)
  }
  return window
}

/**
 * Refuses when the key has used up its window; does not count by itself, so that only failures need to count.
 * @throws DomainError RATE_LIMITED with `details.retryInSeconds`
 */
export function checkRate(limit: RateLimit, key: string, now = Date.now()): void {
  const { count, endsAt } = windowOf(limit, key, now)
  if (count < limit.count) return
  const retryInSeconds = Math.ceil((endsAt - now) / 1000)
  throw new DomainError('RATE_LIMITED', `Too many tries. Try again in ${retryInSeconds} s.`, {
    details: { retryInSeconds },
  })
}

/** Counts one use. */
export function countUse(limit: RateLimit, key: string, now = Date.now()): void {
  windowOf(limit, key, now).count++
}
