/** Time and the scheduling of turns as the engine sees them, so that a simulated machine can have its own. */
import { uptime } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { ClockMark, Reading } from '../core/clock.ts'

export type Clock = {
  /** ms since 1970 at the start; from then on it only moves forward. */
  now(): number
  /** Runs `act` once, as soon as what runs now is over. */
  soon(act: () => void): void
  /** Runs `act` once after `ms`; the answer cancels it. */
  after(ms: number, act: () => void): () => void
}

/** Sleep shorter than this cannot be told from a coarse uptime, and does not matter. */
const SLEPT_MS = 2_000

export type SystemClock = Clock & {
  /** What the clocks of this machine said when it started. */
  startedAt: Reading
  /** What they say now, to be remembered for the next run. */
  mark(): ClockMark
  /**
   * Goes on to where it would be without the machine's sleep, in which the process's own clock stands still on some systems;
   * true when it had slept since the last call: what waits for a time is late then. To be called now and then.
   */
  catchUp(): boolean
}

type Readings = {
  read(): Reading
  /** What passed in this process, ms from anywhere. */
  passed(): number
  /** The wall clock alone, which costs next to nothing to ask. */
  wall?(): number
}

const ofMachine: Readings = {
  read: () => ({ wallMs: Date.now(), uptimeMs: uptime() * 1000 }),
  passed: () => performance.now(),
  wall: () => Date.now(),
}

/** This machine's clock: it starts at the wall clock's time, and no later change of that moves it. */
export function systemClock({ read, passed, wall = () => read().wallMs } = ofMachine): SystemClock {
  const startedAt = read()
  const origin = startedAt.wallMs - passed()
  let sleptMs = 0
  let ahead = wall() - passed()

  let hasSlept = false

  function notice(): void {
    const behindMs = read().uptimeMs - startedAt.uptimeMs - (origin + passed() + sleptMs - startedAt.wallMs)
    if (behindMs < SLEPT_MS) return
    sleptMs += behindMs
    hasSlept = true
  }

  /** The wall clock ran away: that was a sleep, or somebody set it, and the uptime knows which. */
  function now(): number {
    const aheadNow = wall() - passed()
    if (Math.abs(aheadNow - ahead) >= SLEPT_MS) {
      ahead = aheadNow
      notice()
    }
    return origin + passed() + sleptMs
  }

  return {
    startedAt,
    now,
    mark: () => ({ ...read(), nowMs: now() }),
    catchUp() {
      notice()
      const had = hasSlept
      hasSlept = false
      return had
    },
    soon: (act) => void setImmediate(act),
    after(ms, act) {
      const timer = setTimeout(act, ms)
      return () => clearTimeout(timer)
    },
  }
}
