/** kill -9 at every labelled point, again and again, while everybody goes on talking. FAULT_RUNS=200 for more. */
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { POINTS } from '../../src/points.ts'
import { buildBundle } from '../support/bundle.ts'
import { verdict } from './oracle.ts'
import { type Program, within } from './program.ts'
import { openScene, type Scene } from './scene.ts'
import { breakWays, startTraffic, type Traffic } from './traffic.ts'

const RUNS = Number(process.env.FAULT_RUNS ?? 50)
/** At which of its passages the point kills: on the way up, and in the middle of everything. */
const PASSAGES = [1, 2, 4, 8, 16]
/** A label that is not passed in this time is never passed. */
const REACHED_MS = 20_000
const TEST_MS = 60_000 + RUNS * 3_000

let cli: string
let scene: Scene
let traffic: Traffic
beforeAll(() => {
  cli = buildBundle()
})
afterAll(() => rmSync(join(dirname(cli), '../../..'), { recursive: true, force: true }))
beforeEach(async () => {
  // Quick reconnects: what is tested here is not how long they wait.
  scene = await openScene({ cli, cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'] }, luck: 0.1 })
  traffic = startTraffic(scene.agents)
})
afterEach(async () => {
  traffic.stop()
  await scene.close()
})

/** Every label as often as every other, at each passage in turn. */
async function killAgainAndAgain(points: readonly string[], start: (point: string) => Program): Promise<void> {
  for (let run = 0; run < RUNS; run++) {
    const passage = PASSAGES[Math.floor(run / points.length) % PASSAGES.length]
    const point = `${points[run % points.length]}:${passage}`
    const victim = start(point)
    const { signal, code } = await within(
      REACHED_MS,
      victim.ended,
      () => `${point} never passed; ${victim.lastWords()}`,
    )
    expect(signal, `run ${run}, ${point}: ended by itself with ${code}\n${victim.lastWords()}`).toBe('SIGKILL')
  }
}

for (const [role, index] of [
  ['sender', 0],
  ['recipient', 1],
] as const)
  test(
    `kill -9 of a ${role} at every labelled point loses nothing, repeats nothing and keeps the order`,
    async () => {
      const machine = scene.machines[index]
      if (machine === undefined) throw new Error('no such machine')
      await machine.daemon.kill()
      await killAgainAndAgain(POINTS, (point) => machine.start({ point }))
      await machine.start().ready
      traffic.stop()
      expect(await verdict(scene)).toEqual([])
    },
    TEST_MS,
  )

test(
  'kill -9 of the control plane at every labelled point loses nothing, repeats nothing and keeps the order',
  async () => {
    const { plane, points } = scene
    const weather = breakWays(scene)
    await plane.program.kill()
    try {
      await killAgainAndAgain(points, (point) => plane.start({ point }))
    } finally {
      weather.stop()
    }
    await plane.start().ready
    traffic.stop()
    expect(await verdict(scene)).toEqual([])
  },
  TEST_MS,
)
