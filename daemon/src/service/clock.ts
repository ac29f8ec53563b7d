/** Time and the scheduling of turns as the engine sees them, so that a simulated machine can have its own. */
import { performance } from 'node:perf_hooks'

export type Clock = {
  /** ms since 1970 at the start; from then on it only moves forward. */
  now(): number
  /** Runs `act` once, as soon as what runs now is over. */
  soon(act: () => void): void
  /** Runs `act` once after `ms`; the answer cancels it. */
  after(ms: number, act: () => void): () => void
}

/** This machine's clock: it starts at the wall clock's time, and no later change of that moves it. */
export function systemClock(): Clock {
  const start = Date.now() - performance.now()
  return {
    now: () => start + performance.now(),
    soon: (act) => void setImmediate(act),
    after(ms, act) {
      const timer = setTimeout(act, ms)
      return () => clearTimeout(timer)
    },
  }
}
