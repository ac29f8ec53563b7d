import { whenOrphaned } from './orphan.mjs'

/** npm and a terminal both send Ctrl-C, within the same moment; a later one means it. */
const sameMomentMs = 1_000

/**
 * Calls `end` when this process is told to end: by a signal, or because the npm or the Node that started it is gone, which
 * send none when they are killed. A second signal later on exits at once, with 1.
 */
export function onEnd(end: () => void): void {
  let toldAt: number | undefined
  const told = (): void => {
    if (toldAt === undefined) {
      toldAt = performance.now()
      end()
    } else if (performance.now() - toldAt > sameMomentMs) process.exit(1)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, told)
  if (process.send) process.once('disconnect', told)
  whenOrphaned(() => {
    if (toldAt === undefined) told()
  })
}
