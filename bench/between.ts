/** agent → daemon → daemon → agent over one kind of way between two machines of one organization, durable at both ends. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Machine } from '../scripts/scene/machine.ts'
import { type Cloud, known, openCloud } from './cloud.ts'
import { type AgentConnection, connectAs, cpuMicros, pidOf } from './daemons.ts'
import { compared, type Figure, type Settings } from './figures.ts'
import { openPeers, type Peers, PeerValues } from './peers.ts'
import { type Pumped, pump } from './pump.ts'

type Load = { inFlight: number; count: number; goal?: string }

export type Way = {
  /** Of the benchmark. */
  name: string
  loads: readonly Load[]
  p50Goal: string
  /** Of both daemons. */
  env: Record<string, string>
  /** Messages go by the relay until a direct link is up. */
  isDirect: boolean
}

/** One pair of machines, warm, with an agent on each. */
export type Pair = {
  cloud: Cloud
  pump(load: Load): Promise<Run>
  close(): Promise<void>
}
type Run = Pumped & { cpu: number; gateway: number }

export async function between(way: Way, { repeats, hasPeers }: Settings): Promise<Figure[]> {
  const pair = await openPair(way)
  const peers = await openPeers(hasPeers)
  try {
    const figures: Figure[] = []
    for (const load of way.loads) figures.push(...(await measure(way, load, { pair, peers, repeats })))
    return figures
  } finally {
    await peers.close()
    await pair.close()
  }
}

export async function openPair({ env, isDirect }: Pick<Way, 'env' | 'isDirect'>): Promise<Pair> {
  const cloud = await openCloud(['left', 'right'], { env })
  const [left, right] = cloud.machines as [Machine, Machine]
  const from = await connectAs(left, 'Alice')
  const to = await connectAs(right, 'Bob')
  await to.request('subscribe', {})
  await known(from, ['Bob'])
  const work = { from, to, address: 'Bob' }
  await pump({ ...work, count: 100, inFlight: 1 })
  if (isDirect) await untilDirect(from)
  // A daemon runs for weeks: what is measured is the code that the engine has already compiled, which takes 20,000 messages.
  await pump({ ...work, count: 1000, inFlight: 64 })
  await pump({ ...work, count: 20_000, inFlight: 512 })
  const pids = [await pidOf(left), await pidOf(right)]
  const cpuOf = () => pids.reduce((sum, pid) => sum + (cpuMicros(pid) ?? Number.NaN), 0)
  return {
    cloud,
    async pump(load) {
      const [before, gatewayBefore] = [cpuOf(), cloud.cpu().gateway]
      const pumped = await pump({ ...work, ...load })
      const gateway = (cloud.cpu().gateway - gatewayBefore) / load.count
      return { ...pumped, cpu: (cpuOf() - before) / load.count, gateway }
    },
    async close() {
      from.close()
      to.close()
      await cloud.close()
    },
  }
}

/** The first messages took the relay while the machines looked for each other. */
async function untilDirect(from: AgentConnection): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const { machines } = await from.request('status', {})
    if (machines.some(({ link }) => link?.state === 'direct')) return
    await delay(100)
  }
  throw new Error('no direct link came up within 30 s')
}

type Measuring = { pair: Pair; peers: Peers; repeats: number }

async function measure(way: Way, load: Load, { pair, peers, repeats }: Measuring): Promise<Figure[]> {
  const runs: Run[] = []
  const rates = new PeerValues()
  for (let n = 0; n < repeats; n++) {
    runs.push(await pair.pump(load))
    for (const peer of peers.all) rates.add(peer, (await peer.pump(load)).perSecond)
  }
  const name = `${way.name}, ${load.inFlight} in flight`
  const rate = compared({ name, unit: 'msg/s', values: runs.map((run) => run.perSecond) }, rates.comparisons(load.goal))
  if (load.inFlight === 1)
    return [...rate, { name: `${name}, p50`, unit: 'ms', values: runs.map((run) => run.p50Ms), goal: way.p50Goal }]
  const cpu = { name: `${name}, CPU of both daemons`, unit: 'µs/msg', values: runs.map((run) => run.cpu) }
  if (way.isDirect) return [...rate, cpu]
  return [
    ...rate,
    cpu,
    { name: `${name}, CPU of the control plane`, unit: 'µs/msg', values: runs.map((run) => run.gateway) },
  ]
}
