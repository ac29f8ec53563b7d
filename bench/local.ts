/** agent → daemon → agent on one machine: durable, in order, acknowledged. */
import { fsyncMs, socketRoundTripMs } from './baselines.ts'
import { connectAs, cpuMicros, openLab, pidOf } from './daemons.ts'
import type { Figure } from './figures.ts'
import { type Pumped, pump } from './pump.ts'

const loads = [
  { inFlight: 1, count: 1000 },
  { inFlight: 64, count: 10_000 },
  { inFlight: 512, count: 20_000 },
]

export async function local(repeats: number): Promise<Figure[]> {
  const lab = await openLab()
  try {
    const machine = lab.machine('local')
    await machine.run(['up'])
    const pid = await pidOf(machine)
    const from = await connectAs(machine, 'Alice')
    const to = await connectAs(machine, 'Bob')
    await to.request('subscribe', {})
    const work = { from, to, address: 'Bob' }
    await pump({ ...work, count: 2000, inFlight: 64 })
    const figures: Figure[] = []
    for (const load of loads) {
      const runs: (Pumped & { cpu: number })[] = []
      const floor: number[] = []
      for (let n = 0; n < repeats; n++) {
        // What one durable message cannot undercut: to the daemon and on to the agent, and one write to the disk.
        if (load.inFlight === 1) floor.push((await socketRoundTripMs()) + fsyncMs())
        const before = cpuMicros(pid) ?? Number.NaN
        const pumped = await pump({ ...work, ...load })
        runs.push({ ...pumped, cpu: ((cpuMicros(pid) ?? Number.NaN) - before) / load.count })
      }
      figures.push(...figuresOf(load.inFlight, runs, floor))
    }
    from.close()
    to.close()
    return figures
  } finally {
    await lab.close()
  }
}

function figuresOf(inFlight: number, runs: (Pumped & { cpu: number })[], floor: number[]): Figure[] {
  const name = `local, ${inFlight} in flight`
  const rate: Figure = { name, unit: 'msg/s', values: runs.map((run) => run.perSecond) }
  if (inFlight === 1)
    return [
      rate,
      {
        name: `${name}, p50`,
        unit: 'ms',
        values: runs.map((run) => run.p50Ms),
        baseline: { name: 'socket + fsync', values: floor },
        goal: '≤ 0.6 ms',
      },
    ]
  const cpu: Figure = { name: `${name}, daemon CPU`, unit: 'µs/msg', values: runs.map((run) => run.cpu), goal: '≤ 20' }
  return [rate, cpu]
}
