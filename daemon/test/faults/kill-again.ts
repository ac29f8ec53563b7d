/** kill -9 at labelled points, again and again. FAULT_RUNS=200 for more. */
import { expect } from 'vitest'
import { limits, type Program, within } from './program.ts'

const RUNS = Number(process.env.FAULT_RUNS ?? 50)
/** At which of its passages a point kills: on the way up, and in the middle of everything. */
const PASSAGES = [1, 2, 4, 8, 16]
/** A label that is not passed in this time is never passed. */
const REACHED_MS = 30_000

export const killLimits = limits(0, 5_000 * RUNS)

/**
 * Starts a victim and waits for its end, as often as asked for: every label as often as every other, at each passage in turn.
 * `prepare` gets where it is to be killed (`label:nth`), and gives how to let it run; called for the next while one runs.
 */
export async function killAgainAndAgain(
  labels: readonly string[],
  prepare: (point: string) => () => Program,
): Promise<void> {
  const points = Array.from({ length: RUNS }, (_, run) => {
    const passage = PASSAGES[Math.floor(run / labels.length) % PASSAGES.length]
    return `${labels[run % labels.length]}:${passage}`
  })
  let letRun = prepare(points[0] as string)
  for (const [run, point] of points.entries()) {
    const victim = letRun()
    const next = points[run + 1]
    if (next !== undefined) letRun = prepare(next)
    const { signal, code } = await within(
      REACHED_MS,
      victim.ended,
      () => `${point} never passed; ${victim.lastWords()}`,
    )
    expect(signal, `run ${run}, ${point}: ended by itself with ${code}\n${victim.lastWords()}`).toBe('SIGKILL')
  }
}
