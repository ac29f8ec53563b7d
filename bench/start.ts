/** How long until it works: the control plane on a data folder that it knows, and a daemon. */
import { ownPlane } from '../scripts/scene/plane.ts'
import { bareNodeMs } from './baselines.ts'
import { openLab } from './daemons.ts'
import type { Figure, Settings } from './figures.ts'

export async function start({ repeats }: Settings): Promise<Figure[]> {
  return [...(await daemonStart(repeats)), ...(await planeStart(repeats))]
}

async function daemonStart(repeats: number): Promise<Figure[]> {
  const lab = await openLab()
  try {
    const machine = lab.machine('start')
    const ups: number[] = []
    const bare: number[] = []
    for (let n = 0; n <= repeats * 3; n++) {
      const floor = await bareNodeMs()
      const at = performance.now()
      await machine.run(['up'])
      const took = performance.now() - at
      await machine.run(['down'])
      // The first one fills caches and makes the home.
      if (n > 0) {
        ups.push(took)
        bare.push(floor)
      }
    }
    return [
      {
        name: 'start, agent-relay up',
        unit: 'ms',
        values: ups,
        baseline: { name: 'node -e 0', values: bare },
        goal: '≤ 200 ms',
      },
    ]
  } finally {
    await lab.close()
  }
}

async function planeStart(repeats: number): Promise<Figure[]> {
  const quiet = () => undefined
  const first = await ownPlane(quiet)
  await first.stop()
  const values: number[] = []
  for (let n = 0; n < repeats; n++) {
    const plane = await ownPlane(quiet, first.folder)
    values.push((plane.startedMs ?? Number.NaN) / 1000)
    await plane.stop()
  }
  return [{ name: 'start, npm start warm', unit: 's', values, goal: '≤ 4 s' }]
}
