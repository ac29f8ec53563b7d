/** A machine's own time: its wall clock is off and is set anew, its uptime begins with each boot, and sleep stops its processes. */
import type { Reading } from '../../src/core/clock.ts'
import { type SystemClock, systemClock } from '../../src/service/clock.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** What an exact wall clock says when a run begins, ms since 1970. */
export const WALL_MS = Date.UTC(2026, 0, 1)

export type MachineClock = {
  /** The clock of a process that starts now, the shipped one over this machine's; `run` gets every callback that is due. */
  start(run: (act: () => void) => void): SystemClock
  isAwake(): boolean
  sleep(clock: 'stands' | 'runs'): void
  wake(): void
  /** The wall clock is set. */
  set(ms: number): void
  /** The machine was off, and its uptime begins again. */
  reboot(): void
}

/** SLACK_MS of src/store/clock.ts. */
const COARSE_MS = 2_000

type Timer = { due: number; act: () => void; isCancelled: boolean; run: (act: () => void) => void }

type Options = {
  timeline: Timeline
  random: Random
  skewMs: number
  /** What a clock was set to is taken for `ms` that passed: after a boot, which only the wall clock knows of, or when it is little. */
  blurred: (ms: number) => void
}

export function createMachineClock({ timeline, random, skewMs, blurred }: Options): MachineClock {
  let skew = skewMs
  /** At the last start of a process. */
  let startedSkew = skewMs
  let bootedAt = timeline.now() - random.between(0, 7_200_000)
  /** How far the wall clock was set forward since the boot, in all. */
  let forwardMs = 0
  /** True time that processes of this machine have not seen. */
  let missedMs = 0
  let sleepsSince: number | undefined
  let isStanding = false
  let late: Timer[] = []

  /** What a process counts: it stands still in some sleeps. */
  const passed = (): number => (sleepsSince !== undefined && isStanding ? sleepsSince : timeline.now()) - missedMs
  const read = (): Reading => ({ wallMs: WALL_MS + timeline.now() + skew, uptimeMs: timeline.now() - bootedAt })

  function fire(timer: Timer): void {
    if (timer.isCancelled) return
    if (sleepsSince !== undefined) {
      late.push(timer)
      return
    }
    const early = timer.due - passed()
    if (early > 0.001) timeline.at(timeline.now() + early, () => fire(timer))
    else timer.run(timer.act)
  }

  function after(ms: number, act: () => void, run: Timer['run']): () => void {
    const timer: Timer = { due: passed() + ms, act, isCancelled: false, run }
    timeline.at(timeline.now() + ms, () => fire(timer))
    return () => {
      timer.isCancelled = true
    }
  }

  return {
    start(run) {
      // So little is taken for what two clocks always differ by.
      const setMs = Math.abs(skew - startedSkew)
      if (setMs > 0 && setMs <= COARSE_MS) blurred(setMs)
      startedSkew = skew
      return {
        ...systemClock({ read, passed }),
        // A busy loop comes round in its own time, and meanwhile more arrives for the same turn.
        soon: (act) => void after(random.below(3), act, run),
        after: (ms, act) => after(ms, act, run),
      }
    },
    isAwake: () => sleepsSince === undefined,
    sleep(clock) {
      if (sleepsSince !== undefined) return
      sleepsSince = timeline.now()
      isStanding = clock === 'stands'
    },
    wake() {
      if (sleepsSince === undefined) return
      if (isStanding) missedMs += timeline.now() - sleepsSince
      sleepsSince = undefined
      const timers = late
      late = []
      for (const timer of timers) timeline.at(timeline.now(), () => fire(timer))
    },
    set(ms) {
      skew += ms
      forwardMs += Math.max(0, ms)
    },
    reboot() {
      bootedAt = timeline.now()
      blurred(forwardMs)
      forwardMs = 0
    },
  }
}
