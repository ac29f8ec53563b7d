/** kill -9 of the control plane at every labelled point, while everybody goes on talking over ways that break. */
import { expect, test } from 'vitest'
import { builtCli } from './built-cli.ts'
import { killAgainAndAgain, killLimits } from './kill-again.ts'
import { verdict } from './oracle.ts'
import { withScene } from './scene.ts'
import { breakWays, startTraffic } from './traffic.ts'

const cli = builtCli()

test(
  'kill -9 of the control plane at every labelled point loses nothing, repeats nothing and keeps the order',
  killLimits,
  () =>
    withScene({ cli: cli(), cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'] }, luck: 0.1 }, async (scene) => {
      const { plane, points } = scene
      const traffic = startTraffic(scene)
      // Mailboxes fill and empty: without that their labels would be passed rarely.
      const weather = breakWays(scene)
      await plane.program.kill()
      await killAgainAndAgain(points, plane.prepare)
      await plane.start().ready
      weather.stop()
      traffic.stop()
      expect(await verdict(scene)).toEqual([])
    }),
)
