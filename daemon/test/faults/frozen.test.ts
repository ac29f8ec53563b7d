/** SIGSTOP for a minute, as a laptop that sleeps or a host that swaps, of each part in turn. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { builtCli } from './built-cli.ts'
import { verdict } from './oracle.ts'
import { limits, type Program, paced } from './program.ts'
import { type Scene, withScene } from './scene.ts'
import { startTraffic } from './traffic.ts'

const cli = builtCli()
const FROZEN_MS = 60_000

const parts: Record<string, (scene: Scene) => Program> = {
  sender: (scene) => scene.machine('alpha').daemon,
  recipient: (scene) => scene.machine('beta').daemon,
  'control plane': (scene) => scene.plane.program,
}

for (const [name, partOf] of Object.entries(parts))
  test.concurrent(`a ${name} frozen for a minute goes on as if nothing had been`, limits(3 * FROZEN_MS), () =>
    withScene({ cli: cli(), cast: { alpha: ['Alice', 'Ann'], beta: ['Bob'] } }, async (scene) => {
      const part = partOf(scene)
      const traffic = startTraffic(scene, 60)
      part.signal('SIGSTOP')
      scene.atEnd(() => part.signal('SIGCONT'))
      await delay(paced(FROZEN_MS))
      part.signal('SIGCONT')
      traffic.stop()
      expect(await verdict(scene)).toEqual([])
    }),
  )
