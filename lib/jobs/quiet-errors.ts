import type { Log } from '#lib/realtime/log.ts'

const quietMs = 60_000

/** Logs the first error at once, and of those that follow within a minute only their number, with the next one after it. */
export function quietErrors(log: Log, now: () => number = Date.now): (error: unknown) => void {
  let loudAt = Number.NEGATIVE_INFINITY
  let suppressed = 0
  return (error) => {
    if (now() - loudAt < quietMs) {
      suppressed++
      return
    }
    loudAt = now()
    log.error({ err: error, ...(suppressed > 0 && { suppressed }) }, 'jobs failed; they go on by themselves')
    suppressed = 0
  }
}
