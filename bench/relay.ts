/** agent → daemon → control plane → daemon → agent: two machines of one organization, durable at both ends. */
import type { Machine } from '../scripts/scene/machine.ts'
import { known, openCloud } from './cloud.ts'
import { connectAs, cpuMicros, pidOf } from './daemons.ts'
import { compared, type Figure, type Settings } from './figures.ts'
import { openPeers, PeerValues } from './peers.ts'
import { type Pumped, pump } from './pump.ts'

const loads = [
  { inFlight: 1, count: 500 },
  { inFlight: 64, count: 5000 },
  { inFlight: 512, count: 10_000, goal: '≥ 1 × JetStream' },
]

export async function relay({ repeats, hasPeers }: Settings): Promise<Figure[]> {
  const cloud = await openCloud(['left', 'right'])
  const peers = await openPeers(hasPeers)
  try {
    const [left, right] = cloud.machines as [Machine, Machine]
    const from = await connectAs(left, 'Alice')
    const to = await connectAs(right, 'Bob')
    await to.request('subscribe', {})
    await known(from, ['Bob'])
    const work = { from, to, address: 'Bob' }
    await pump({ ...work, count: 1000, inFlight: 64 })
    const pids = [await pidOf(left), await pidOf(right)]
    const cpuOf = () => pids.reduce((sum, pid) => sum + (cpuMicros(pid) ?? Number.NaN), 0)
    const figures: Figure[] = []
    for (const { goal, ...load } of loads) {
      const runs: (Pumped & { cpu: number; gateway: number })[] = []
      const rates = new PeerValues()
      for (let n = 0; n < repeats; n++) {
        const [before, gatewayBefore] = [cpuOf(), cloud.cpu().gateway]
        const pumped = await pump({ ...work, ...load })
        const gateway = (cloud.cpu().gateway - gatewayBefore) / load.count
        runs.push({ ...pumped, cpu: (cpuOf() - before) / load.count, gateway })
        for (const peer of peers.all) rates.add(peer, (await peer.pump(load)).perSecond)
      }
      const name = `relay, ${load.inFlight} in flight`
      const values = runs.map((run) => run.perSecond)
      figures.push(...compared({ name, unit: 'msg/s', values }, rates.comparisons(goal)))
      if (load.inFlight === 1)
        figures.push({ name: `${name}, p50`, unit: 'ms', values: runs.map((run) => run.p50Ms), goal: '≤ 5 ms' })
      else
        figures.push(
          { name: `${name}, CPU of both daemons`, unit: 'µs/msg', values: runs.map((run) => run.cpu) },
          { name: `${name}, CPU of the control plane`, unit: 'µs/msg', values: runs.map((run) => run.gateway) },
        )
    }
    from.close()
    to.close()
    return figures
  } finally {
    await peers.close()
    await cloud.close()
  }
}
