/** The path of two machines changes a hundred times while they talk; nobody may notice but by the clock. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { SHORT_MS } from '../src/peers/manager/limits.ts'
import { builtCli } from './faults/built-cli.ts'
import type { Machine } from './faults/machine.ts'
import { verdict } from './faults/oracle.ts'
import { within } from './faults/program.ts'
import { withScene } from './faults/scene.ts'
import { startTraffic } from './faults/traffic.ts'

const cli = builtCli()
const FLIPS = 100
/** Back on a direct link that lived long enough not to count as one that keeps breaking. */
const BACK_MS = 30_000
/** While one path ends and the other takes over, in the daemons' own time. */
const MOST_MS = 5_000
const PACE = 10

async function untilSteady(machine: Machine, other: Machine): Promise<void> {
  for (;;) {
    const { machines } = await machine.status()
    const link = machines.find(({ id }) => id === other.id)?.link
    if (link?.state === 'direct' && link.forMs > SHORT_MS) return
    await pause(20)
  }
}

test(`${FLIPS} changes of path under load lose, double and reorder nothing`, { timeout: 600_000 }, async () => {
  const cast = { alice: ['Ann', 'Art'], bob: ['Bob'] }
  await withScene({ cli: cli(), cast, pace: PACE, isDirect: true }, async (scene) => {
    const [alice, bob] = [scene.machine('alice'), scene.machine('bob')]
    const ports = [alice, bob].map(({ home }) => Number(readFileSync(join(home, 'peer-port'), 'utf8')))
    const traffic = startTraffic(scene, 20)
    for (let flip = 0; flip < FLIPS; flip++) {
      const steady = Promise.all([untilSteady(alice, bob), untilSteady(bob, alice)])
      await within(BACK_MS, steady, () => `flip ${flip}: no direct link\n${alice.daemon.lastWords()}`)
      // By turns the one end notices first, or the other, or both.
      const ends = flip % 3 === 0 ? [alice] : flip % 3 === 1 ? [bob] : [alice, bob]
      await Promise.all(ends.map(({ daemon }) => daemon.ask('cut', { ports, isLasting: false })))
    }
    traffic.stop()
    expect(await verdict(scene)).toEqual([])
    const took = scene.agents
      .flatMap(({ attempts }) => attempts.map(({ askedAt, arrivedAt }) => (arrivedAt ?? Number.NaN) - askedAt))
      .sort((a, b) => a - b)
    expect(took.length).toBeGreaterThan(FLIPS * 20)
    expect(took[Math.floor(took.length * 0.99)]).toBeLessThan(MOST_MS / PACE + 250)
  })
})
