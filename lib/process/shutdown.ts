import type { Logger } from '#lib/log.ts'

/** What is not done by then is cut off; containers are given ten seconds by their runtimes too. */
const drainWithinMs = 10_000

/**
 * Runs `drain` once when the process is told to end (SIGTERM, SIGINT, or the program that started it is gone), and exits: 0
 * when it was done in time, 1 when not. A second signal exits at once.
 */
export function onceTold(log: Logger, drain: () => Promise<void>): void {
  let isTold = false
  const told = async (why: string): Promise<void> => {
    if (isTold) {
      if (why !== 'orphaned') process.exit(1)
      return
    }
    isTold = true
    log.info({ why }, 'ending: no new requests, open ones may finish')
    setTimeout(() => {
      log.warn({ afterMs: drainWithinMs }, 'ended with requests still open')
      process.exit(1)
    }, drainWithinMs).unref()
    try {
      await drain()
      log.info('ended')
      process.exit(0)
    } catch (error) {
      log.error({ err: error }, 'ended badly')
      process.exit(1)
    }
  }
  process.on('SIGTERM', () => void told('SIGTERM'))
  process.on('SIGINT', () => void told('SIGINT'))
  // Node drops `send` with the channel: a starter that was killed before this line has no event left to give.
  if (process.connected) process.once('disconnect', () => void told('orphaned'))
  else if (process.connected === false) void told('orphaned')
}
