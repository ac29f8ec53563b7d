/** agent → daemon → agent on one machine: durable, in order, acknowledged. */
import { fsyncMs, socketRoundTripMs } from './baselines.ts'
import { connectAs, cpuMicros, openLab, pidOf } from './daemons.ts'
import type { Figure, Settings } from './figures.ts'
import { type Pumped, pump } from './pump.ts'
import { hasRedis, openRedis } from './redis.ts'

const loads = [
  { inFlight: 1, count: 1000 },
  { inFlight: 64, count: 10_000 },
  { inFlight: 512, count: 20_000 },
]

export async function local({ repeats, hasPeers }: Settings): Promise<Figure[]> {
  const lab = await openLab()
  const redis = hasPeers && hasRedis() ? await openRedis() : undefined
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
      const peer: number[] = []
      for (let n = 0; n < repeats; n++) {
        // What one durable message cannot undercut: to the daemon and on to the agent, and one write to the disk.
        if (load.inFlight === 1) floor.push((await socketRoundTripMs()) + fsyncMs())
        const before = cpuMicros(pid) ?? Number.NaN
        const pumped = await pump({ ...work, ...load })
        if (redis) peer.push((await redis.pump(load)).perSecond)
        runs.push({ ...pumped, cpu: ((cpuMicros(pid) ?? Number.NaN) - before) / load.count })
      }
      figures.push(...figuresOf(load.inFlight, { runs, floor, peer }))
    }
    from.close()
    to.close()
    return figures
  } finally {
    await redis?.close()
    await lab.close()
  }
}

type Measured = { runs: (Pumped & { cpu: number })[]; floor: number[]; peer: number[] }

function figuresOf(inFlight: number, { runs, floor, peer }: Measured): Figure[] {
  const name = `local, ${inFlight} in flight`
  const rate: Figure = {
    name,
    unit: 'msg/s',
    values: runs.map((run) => run.perSecond),
    ...(peer.length > 0 && { baseline: { name: 'Redis Streams', values: peer } }),
  }
  if (inFlight > 1)
    return [rate, { name: `${name}, daemon CPU`, unit: 'µs/msg', values: runs.map((run) => run.cpu), goal: '≤ 20' }]
  const p50 = runs.map((run) => run.p50Ms)
  const baseline = { name: 'socket + fsync', values: floor }
  return [rate, { name: `${name}, p50`, unit: 'ms', values: p50, baseline, goal: '≤ 0.6 ms' }]
}
