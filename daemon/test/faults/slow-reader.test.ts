/** Somebody who reads 1 KB/s: the others do not notice, and nobody's memory grows. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Agent, Attempt } from './agent.ts'
import { builtCli } from './built-cli.ts'
import { verdict } from './oracle.ts'
import { type Memory, within } from './program.ts'
import { startProxy } from './proxy.ts'
import { type Scene, withScene } from './scene.ts'

const cli = builtCli()
const SLOW = { bytesPerSecond: 1024 }
/** What fast clocks send again so soon would be measured too. */
const pace = Math.min(3, Number(process.env.FAULT_PACE ?? 3))
/** Tens of megabytes pass through four programs and two disks. */
const QUIET_MS = 120_000
const options = { timeout: 3 * QUIET_MS }

const SAMPLES = 150
/** What others may lose to a slow neighbour: p99 within five times what it was before, and 100 ms for a busy computer. */
const bearable = (p99Ms: number): number => 5 * p99Ms + 100
const MESSAGES = 320
const MESSAGE_BYTES = 200_000
/** So many at a time, so that what is measured is what is kept and not one great burst. */
const AT_ONCE = 8
/** Of 64 MB sent: the daemon's cache of recent rows, the windows of a stream and of a receiver, and room to breathe. */
const KEPT_BYTES = 32_000_000
/** With all its garbage, in a process that was asked to do this twice. */
const RESIDENT_BYTES = 500_000_000

/** One message after the other; the 99th percentile of the time from asking to arriving. */
async function p99({ bell }: Scene, [from, to]: [Agent, Agent]): Promise<number> {
  const took: number[] = []
  while (took.length < SAMPLES) {
    const attempt = (await from.send(to)) as Attempt
    await bell.until(() => attempt.arrivedAt !== undefined)
    took.push((attempt.arrivedAt as number) - attempt.askedAt)
  }
  return took.sort((a, b) => a - b)[Math.floor(0.99 * took.length)] as number
}

async function flood(from: Agent, to: Agent): Promise<void> {
  for (let sent = 0; sent < MESSAGES; sent += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, () => from.send(to, MESSAGE_BYTES)))
}

type Scenery = { bystanders: [Agent, Agent]; flooder: Agent; slow: Agent; slowDown(): void }

/** Floods a reader once while it is quick, so that heaps have their size, and once while it is slow, beside two bystanders. */
async function expectUnaffected(scene: Scene, { bystanders, flooder, slow, slowDown }: Scenery): Promise<void> {
  const isTaken = () =>
    flooder.attempts.every(
      ({ route, fate, arrivedAt }) =>
        fate !== 'queued' || route !== `${flooder.name}>${slow.name}` || arrivedAt !== undefined,
    )
  await flood(flooder, slow)
  await within(QUIET_MS, scene.bell.until(isTaken), () => 'the first flood is taken')
  const programs = [scene.plane.program, ...scene.machines.map(({ daemon }) => daemon)]
  const p99Before = await p99(scene, bystanders)
  const before = await Promise.all(programs.map(({ memory }) => memory()))
  slowDown()
  await flood(flooder, slow)
  const p99Beside = await p99(scene, bystanders)
  const after = await Promise.all(programs.map(({ memory }) => memory()))
  const grown = after.map(({ keptBytes }, index) => keptBytes - (before[index] as Memory).keptBytes)
  const resident = after.map(({ residentBytes }) => residentBytes)
  console.log(
    `p99 ${p99Before.toFixed(1)} ms, beside the slow reader ${p99Beside.toFixed(1)} ms; grown by ${megabytes(grown)} MB to ${megabytes(resident)} MB resident`,
  )
  expect(isTaken(), 'the slow reader is still at it').toBe(false)
  expect(p99Beside).toBeLessThan(bearable(p99Before))
  expect(Math.max(...grown)).toBeLessThan(KEPT_BYTES)
  expect(Math.max(...resident)).toBeLessThan(RESIDENT_BYTES)
}

const megabytes = (sizes: number[]): string => sizes.map((bytes) => Math.round(bytes / 1e6)).join(', ')

test('an agent that reads 1 KB/s holds up nobody, and what it cannot take stays on disk', options, () =>
  withScene({ cli: cli(), cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'] }, pace }, async (scene) => {
    const beta = scene.machine('beta')
    const path = join(scene.folder, 'slow.sock')
    const line = await startProxy({ upstream: { path: beta.socket }, path })
    const slow = scene.addAgent(beta, 'Slow', path)
    try {
      const [flooder, ann, bob] = ['Alice', 'Ann', 'Bob'].map(scene.agent) as [Agent, Agent, Agent]
      await within(QUIET_MS, scene.bell.until(slow.isHere), () => 'the slow agent is here')
      await within(QUIET_MS, untilKnown(flooder, slow.name), () => 'its name is known')
      const slowDown = () => {
        line.weather = SLOW
      }
      await expectUnaffected(scene, { bystanders: [ann, bob], flooder, slow, slowDown })
      line.weather = {}
      expect(await verdict(scene, QUIET_MS)).toEqual([])
    } finally {
      await line.close()
    }
  }),
)

test('a machine behind a line of 1 KB/s holds up nobody, and what it cannot take stays on disk', options, () =>
  withScene({ cli: cli(), cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'], gamma: ['Gina'] }, pace }, async (scene) => {
    const { proxy } = scene.machine('beta')
    const [flooder, slow, ann, gina] = ['Alice', 'Bob', 'Ann', 'Gina'].map(scene.agent) as [Agent, Agent, Agent, Agent]
    const slowDown = () => {
      proxy.weather = SLOW
    }
    await expectUnaffected(scene, { bystanders: [ann, gina], flooder, slow, slowDown })
    proxy.weather = {}
    expect(await verdict(scene, QUIET_MS)).toEqual([])
  }),
)

async function untilKnown({ machine }: Agent, name: string): Promise<void> {
  const isKnown = async () => (await machine.status()).machines.some(({ agents }) => agents.includes(name))
  while (!(await isKnown())) await delay(20)
}
