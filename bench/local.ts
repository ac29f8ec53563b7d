/** agent → daemon → agent on one machine: durable, in order, acknowledged. */
import { fsyncMs, socketRoundTripMs } from './baselines.ts'
import { connectAs, cpuMicros, openLab, pidOf } from './daemons.ts'
import { compared, type Figure, type Settings } from './figures.ts'
import { openPeers, PeerValues } from './peers.ts'
import { type Pumped, pump } from './pump.ts'

const loads = [
  { inFlight: 1, count: 1000 },
  { inFlight: 64, count: 10_000, goal: '≥ 2 × JetStream' },
  { inFlight: 512, count: 20_000, goal: '≥ 3 × JetStream' },
]

export async function local({ repeats, hasPeers }: Settings): Promise<Figure[]> {
  const lab = await openLab()
  const peers = await openPeers(hasPeers)
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
      const rates = new PeerValues()
      for (let n = 0; n < repeats; n++) {
        // What one durable message cannot undercut: to the daemon and on to the agent, and one write to the disk.
        if (load.inFlight === 1) floor.push((await socketRoundTripMs()) + fsyncMs())
        const before = cpuMicros(pid) ?? Number.NaN
        const pumped = await pump({ ...work, ...load })
        runs.push({ ...pumped, cpu: ((cpuMicros(pid) ?? Number.NaN) - before) / load.count })
        for (const peer of peers.all) rates.add(peer, (await peer.pump(load)).perSecond)
      }
      figures.push(...figuresOf(load, { runs, floor, rates }))
    }
    from.close()
    to.close()
    return figures
  } finally {
    await peers.close()
    await lab.close()
  }
}

type Measured = { runs: (Pumped & { cpu: number })[]; floor: number[]; rates: PeerValues }

function figuresOf({ inFlight, goal }: (typeof loads)[number], { runs, floor, rates }: Measured): Figure[] {
  const name = `local, ${inFlight} in flight`
  const values = runs.map((run) => run.perSecond)
  const rate = compared({ name, unit: 'msg/s', values }, rates.comparisons(goal))
  if (inFlight > 1)
    return [...rate, { name: `${name}, daemon CPU`, unit: 'µs/msg', values: runs.map((run) => run.cpu), goal: '≤ 20' }]
  const p50 = runs.map((run) => run.p50Ms)
  const baseline = { name: 'socket + fsync', values: floor }
  return [...rate, { name: `${name}, p50`, unit: 'ms', values: p50, baseline, goal: '≤ 0.6 ms' }]
}
