/** kill -9 at every labelled point, again and again, while everybody goes on talking. FAULT_RUNS=200 for more. */
import { expect, test } from 'vitest'
import { POINTS } from '../../src/points.ts'
import { builtCli } from './built-cli.ts'
import { verdict } from './oracle.ts'
import { type Program, within } from './program.ts'
import { withScene } from './scene.ts'
import { breakWays, startTraffic } from './traffic.ts'

const RUNS = Number(process.env.FAULT_RUNS ?? 50)
/** At which of its passages the point kills: on the way up, and in the middle of everything. */
const PASSAGES = [1, 2, 4, 8, 16]
/** A label that is not passed in this time is never passed. */
const REACHED_MS = 30_000
const TEST_MS = 120_000 + RUNS * 5_000
const cli = builtCli()
/** Quick reconnects: what is tested here is not how long they wait. */
const scenery = () => ({ cli: cli(), cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'] }, luck: 0.1 })

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

const promise = 'loses nothing, repeats nothing and keeps the order'

for (const [role, name] of Object.entries({ sender: 'alpha', recipient: 'beta' }))
  test(`kill -9 of a ${role} at every labelled point ${promise}`, { timeout: TEST_MS }, () =>
    withScene(scenery(), async (scene) => {
      const machine = scene.machine(name)
      const traffic = startTraffic(scene)
      await machine.daemon.kill()
      await killAgainAndAgain(POINTS, (point) => machine.start({ point }))
      await machine.start().ready
      traffic.stop()
      expect(await verdict(scene)).toEqual([])
    }),
  )

test(`kill -9 of the control plane at every labelled point ${promise}`, { timeout: TEST_MS }, () =>
  withScene(scenery(), async (scene) => {
    const { plane, points } = scene
    const traffic = startTraffic(scene)
    const weather = breakWays(scene)
    await plane.program.kill()
    await killAgainAndAgain(points, (point) => plane.start({ point }))
    await plane.start().ready
    weather.stop()
    traffic.stop()
    expect(await verdict(scene)).toEqual([])
  }),
)
