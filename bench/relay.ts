/** agent → daemon → control plane → daemon → agent: two machines of one organization, durable at both ends. */
import { whoRuns } from '../scripts/data-folder.ts'
import { signIn } from '../scripts/scene/person.ts'
import { ownPlane } from '../scripts/scene/plane.ts'
import { type AgentConnection, connectAs, cpuMicros, openLab, pidOf } from './daemons.ts'
import type { Figure, Settings } from './figures.ts'
import { type Pumped, pump } from './pump.ts'

const loads = [
  { inFlight: 1, count: 500 },
  { inFlight: 64, count: 5000 },
  { inFlight: 512, count: 10_000 },
]

export async function relay({ repeats }: Settings): Promise<Figure[]> {
  const plane = await ownPlane(() => undefined)
  const lab = await openLab()
  try {
    const person = await signIn(plane.url, await plane.signInLink())
    const org = await person.change<{ id: string }>('orgs.create', { name: 'Bench' })
    const [left, right] = [lab.machine('left'), lab.machine('right')]
    await Promise.all([left, right].map((machine) => machine.link(plane.url, person, org.id)))
    await Promise.all([left, right].map((machine) => machine.run(['up'])))
    const from = await connectAs(left, 'Alice')
    const to = await connectAs(right, 'Bob')
    await to.request('subscribe', {})
    await known(from, 'Bob')
    const work = { from, to, address: 'Bob' }
    await pump({ ...work, count: 1000, inFlight: 64 })
    const pids = [await pidOf(left), await pidOf(right)]
    const cpuOf = () => pids.reduce((sum, pid) => sum + (cpuMicros(pid) ?? Number.NaN), 0)
    const gateway = whoRuns(plane.folder ?? '')?.serverPid ?? 0
    const gatewayCpu = () => cpuMicros(gateway) ?? Number.NaN
    const figures: Figure[] = []
    for (const load of loads) {
      const runs: (Pumped & { cpu: number; gateway: number })[] = []
      for (let n = 0; n < repeats; n++) {
        const [before, gatewayBefore] = [cpuOf(), gatewayCpu()]
        const pumped = await pump({ ...work, ...load })
        const gatewayMicros = (gatewayCpu() - gatewayBefore) / load.count
        runs.push({ ...pumped, cpu: (cpuOf() - before) / load.count, gateway: gatewayMicros })
      }
      const name = `relay, ${load.inFlight} in flight`
      figures.push({ name, unit: 'msg/s', values: runs.map((run) => run.perSecond) })
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
    await lab.close()
    await plane.stop()
  }
}

/** Waits until this daemon's roster has the agent. */
async function known(from: AgentConnection, name: string): Promise<void> {
  for (;;) {
    const { agents } = await from.request('agents', {})
    if (agents.some((agent) => agent.name === name)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
