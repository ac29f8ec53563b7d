/** Workers that share seeds between them: a few at a time for each, until all are played or one has failed. */
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Schedule } from './schedule.ts'
import type { Outcome } from './world.ts'

type Failure = NonNullable<Outcome['failure']>

export type Order =
  | { type: 'play'; from: number; count: number }
  | { type: 'explain'; seed: number }
  | { type: 'schedule'; schedule: Schedule }

export type Report =
  | { type: 'passed'; messages: number; links: number }
  /** `from` up to this seed passed. */
  | { type: 'failed'; seed: number; messages: number; links: number; failure: Failure }
  | { type: 'ended'; failure: Failure | undefined }
  | { type: 'explained'; schedule: Schedule; diary: string[]; failure: Failure | undefined }

export type Found = { seed: number; failure: Failure }

type Played = { seeds: number; messages: number; links: number; found: Found[] }

/** Small enough that workers end together, large enough that asking costs nothing. */
const SHARE = 20

export type Crew = {
  /**
   * Plays `count` seeds from `from` on. Ends early when `mostFound` have failed, 1 unless told otherwise; `progress` hears of
   * every share.
   */
  play(seeds: { from: number; count: number; mostFound?: number; progress?: (played: Played) => void }): Promise<Played>
  /** The shortest schedule by which this seed fails, and what happens in it. */
  explain(seed: number): Promise<Extract<Report, { type: 'explained' }>>
  /** Plays one schedule; how it failed. */
  replay(schedule: Schedule): Promise<Failure | undefined>
  end(): Promise<void>
}

/** `file` comes from bundle(), and is gone with the crew. */
export function createCrew(file: string, size: number): Crew {
  const workers = Array.from({ length: size }, () => new Worker(file))

  async function ask(worker: Worker, order: Order): Promise<Report> {
    worker.postMessage(order)
    const [report] = (await once(worker, 'message')) as [Report]
    return report
  }

  return {
    async play({ from, count, mostFound = 1, progress }) {
      const played: Played = { seeds: 0, messages: 0, links: 0, found: [] }
      const end = from + count
      let next = from
      /** What a share had left behind a seed that failed. */
      const rest: { from: number; count: number }[] = []
      const take = (): { from: number; count: number } | undefined => {
        const left = rest.pop()
        if (left !== undefined) return left
        if (next >= end) return undefined
        const share = { from: next, count: Math.min(SHARE, end - next) }
        next += share.count
        return share
      }
      const work = async (worker: Worker): Promise<void> => {
        for (let share = take(); share !== undefined && played.found.length < mostFound; share = take()) {
          const report = await ask(worker, { type: 'play', ...share })
          if (report.type !== 'passed' && report.type !== 'failed') continue
          played.messages += report.messages
          played.links += report.links
          if (report.type === 'passed') played.seeds += share.count
          else {
            const done = report.seed + 1 - share.from
            played.seeds += done
            played.found.push({ seed: report.seed, failure: report.failure })
            if (done < share.count) rest.push({ from: report.seed + 1, count: share.count - done })
          }
          progress?.(played)
        }
      }
      await Promise.all(workers.map(work))
      played.found.sort((a, b) => a.seed - b.seed)
      return played
    },
    async explain(seed) {
      const report = await ask(workers[0] as Worker, { type: 'explain', seed })
      if (report.type !== 'explained') throw new Error(`a worker answered ${report.type} to explain`)
      return report
    },
    async replay(schedule) {
      const report = await ask(workers[0] as Worker, { type: 'schedule', schedule })
      return report.type === 'ended' ? report.failure : undefined
    },
    async end() {
      await Promise.all(workers.map((worker) => worker.terminate()))
      rmSync(file, { force: true })
    },
  }
}
