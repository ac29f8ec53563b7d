/** Somebody who reads 1 KB/s: the others do not notice, and nobody's memory grows. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Agent, Attempt } from './agent.ts'
import { builtCli } from './built-cli.ts'
import { verdict } from './oracle.ts'
import { type Program, within } from './program.ts'
import { startProxy } from './proxy.ts'
import { type Scene, withScene } from './scene.ts'

const cli = builtCli()
const SLOW = { bytesPerSecond: 1024 }
const TEST_MS = 240_000
const SAMPLES = 200
/** What others may lose to a slow neighbour: p99 within five times what it was before, and 50 ms for a busy computer. */
const bearable = (p99Ms: number): number => 5 * p99Ms + 50
/** Windows, caches and the garbage of a burst; a reader that is not held back costs as much as is sent to it. */
const GROWTH_BYTES = 64 * 1024 * 1024

const rssBytes = ({ pid }: Program): number =>
  1024 * Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }))

/** One message after the other; the 99th percentile of the time from asking to arriving. */
async function p99({ bell }: Scene, from: Agent, to: Agent): Promise<number> {
  const took: number[] = []
  while (took.length < SAMPLES) {
    const attempt = (await from.send(to)) as Attempt
    await bell.until(() => attempt.arrivedAt !== undefined)
    took.push((attempt.arrivedAt as number) - attempt.askedAt)
  }
  return took.sort((a, b) => a - b)[Math.floor(0.99 * took.length)] as number
}

/** Measures two agents before and while `flood` runs against somebody else, and what the programs grow by. */
async function expectUnaffected(
  scene: Scene,
  [from, to]: [Agent, Agent],
  flood: () => Promise<unknown>,
): Promise<void> {
  await p99(scene, from, to)
  const before = await p99(scene, from, to)
  const programs = [scene.plane.program, ...scene.machines.map(({ daemon }) => daemon)]
  const sizes = programs.map(rssBytes)
  await flood()
  const during = await p99(scene, from, to)
  const grown = programs.map((program, index) => rssBytes(program) - (sizes[index] as number))
  console.log(
    `p99 ${before.toFixed(1)} ms, beside the slow reader ${during.toFixed(1)} ms; grown by ${grown.map((bytes) => `${Math.round(bytes / 1024 / 1024)} MiB`).join(', ')}`,
  )
  expect(during).toBeLessThan(bearable(before))
  expect(Math.max(...grown)).toBeLessThan(GROWTH_BYTES)
}

test(
  'an agent that reads 1 KB/s holds up nobody, and the daemon keeps on disk what it cannot take',
  {
    timeout: TEST_MS,
  },
  () =>
    withScene({ cli: cli(), cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'] } }, async (scene) => {
      const beta = scene.machine('beta')
      const path = join(scene.folder, 'slow.sock')
      const line = await startProxy({ upstream: { path: beta.socket }, path })
      const slow = scene.addAgent(beta, 'Slow', path)
      try {
        await within(30_000, scene.bell.until(slow.isHere), () => 'the slow agent is here')
        await within(30_000, untilKnown(scene.agent('Alice'), 'Slow'), () => 'its name is known')
        line.weather = SLOW
        // 160 MB, twice of what memory may grow by.
        const flood = async () => {
          const sent = Array.from({ length: 800 }, () => scene.agent('Alice').send(slow, 200_000))
          await Promise.all(sent)
          await within(60_000, untilQueued(scene, 'alpha', 0), () => 'all of it is at the other machine')
        }
        await expectUnaffected(scene, [scene.agent('Ann'), scene.agent('Bob')], flood)
        line.weather = {}
        expect(await verdict(scene)).toEqual([])
      } finally {
        await line.close()
      }
    }),
)

test(
  'a machine behind a line of 1 KB/s holds up nobody, and the control plane keeps in Postgres what it cannot take',
  {
    timeout: TEST_MS,
  },
  () =>
    withScene({ cli: cli(), cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'], gamma: ['Gina'] } }, async (scene) => {
      const { proxy } = scene.machine('beta')
      proxy.weather = SLOW
      const flood = async () => {
        const sent = Array.from({ length: 200 }, () => scene.agent('Alice').send(scene.agent('Bob'), 200_000))
        await Promise.all(sent)
      }
      await expectUnaffected(scene, [scene.agent('Ann'), scene.agent('Gina')], flood)
      proxy.weather = {}
      expect(await verdict(scene)).toEqual([])
    }),
)

async function untilKnown({ machine }: Agent, name: string): Promise<void> {
  const isKnown = async () => (await machine.status()).machines.some(({ agents }) => agents.includes(name))
  while (!(await isKnown())) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function untilQueued(scene: Scene, name: string, count: number): Promise<void> {
  while ((await scene.machine(name).status()).queued > count) await new Promise((resolve) => setTimeout(resolve, 20))
}
