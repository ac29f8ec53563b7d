/** A machine's own time: its wall clock is off and jumps at restarts, and sleep stops the rest or does not. */
import type { Clock } from '../../src/service/clock.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** What an exact wall clock says when a run begins, ms since 1970. */
export const WALL_MS = Date.UTC(2026, 0, 1)

export type MachineClock = {
  /** The clock of one process; `run` gets every callback that is due while the process lives. */
  boot(run: (act: () => void) => void): Clock
  isAwake(): boolean
  sleep(clock: 'stands' | 'runs'): void
  wake(): void
  /** The wall clock is set; running processes do not notice. */
  jump(ms: number): void
}

type Timer = { due: number; act: () => void; isCancelled: boolean; run: (act: () => void) => void }

type Options = { timeline: Timeline; random: Random; skewMs: number; jumped: (ms: number) => void }

export function createMachineClock({ timeline, random, skewMs, jumped }: Options): MachineClock {
  let skew = skewMs
  /** True time that this machine's monotonic clock has not seen. */
  let missedMs = 0
  let sleepsSince: number | undefined
  let isStanding = false
  let late: Timer[] = []
  let lagging = 0

  const mono = (): number => (sleepsSince !== undefined && isStanding ? sleepsSince : timeline.now()) - missedMs

  function fire(timer: Timer): void {
    if (timer.isCancelled) return
    if (sleepsSince !== undefined) {
      late.push(timer)
      return
    }
    const early = timer.due - mono()
    if (early > 0.001) timeline.at(timeline.now() + early, () => fire(timer))
    else timer.run(timer.act)
  }

  function start(ms: number, act: () => void, run: Timer['run']): () => void {
    const timer: Timer = { due: mono() + ms, act, isCancelled: false, run }
    timeline.at(timeline.now() + ms, () => fire(timer))
    return () => {
      timer.isCancelled = true
    }
  }

  return {
    boot(run) {
      // Its wall clock went on while the rest stood: a restart sets its time forward by that.
      jumped(missedMs - lagging)
      lagging = missedMs
      const atBoot = WALL_MS + timeline.now() + skew - mono()
      return {
        now: () => atBoot + mono(),
        // A busy loop comes round in its own time, and meanwhile more arrives for the same turn.
        soon: (act) => void start(random.below(3), act, run),
        after: (ms, act) => start(ms, act, run),
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
    jump(ms) {
      skew += ms
      jumped(ms)
    },
  }
}
