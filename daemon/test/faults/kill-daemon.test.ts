/** kill -9 of a daemon at every labelled point while everybody goes on talking. */
import { expect, test } from 'vitest'
import { POINTS } from '../../src/points.ts'
import { builtCli } from './built-cli.ts'
import { killAgainAndAgain, killLimits } from './kill-again.ts'
import { verdict } from './oracle.ts'
import { withScene } from './scene.ts'
import { startTraffic } from './traffic.ts'

const cli = builtCli()

for (const [role, name] of Object.entries({ sender: 'alpha', recipient: 'beta' }))
  test(
    `kill -9 of a ${role} at every labelled point loses nothing, repeats nothing and keeps the order`,
    killLimits,
    () =>
      withScene({ cli: cli(), cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'] }, luck: 0.1 }, async (scene) => {
        const machine = scene.machine(name)
        const traffic = startTraffic(scene)
        await machine.daemon.kill()
        await killAgainAndAgain(POINTS, (point) => () => machine.start({ point }))
        await machine.start().ready
        traffic.stop()
        expect(await verdict(scene)).toEqual([])
      }),
  )
