/** A control plane of our own with machines linked to it, for the benchmarks that need both; ended with the run. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { clusterUrl, prepareCluster } from '#lib/db/embedded/cluster.ts'
import { whoRuns } from '../scripts/data-folder.ts'
import type { Machine } from '../scripts/scene/machine.ts'
import { signIn } from '../scripts/scene/person.ts'
import { ownPlane } from '../scripts/scene/plane.ts'
import { type AgentConnection, cpuMicros, openLab } from './daemons.ts'

export type Cloud = {
  machines: Machine[]
  /** CPU time so far in µs: of the control plane's process, and of its Postgres. */
  cpu(): { gateway: number; postgres: number }
  close(): Promise<void>
}

/** Messages take the relay, whatever else there might be. */
export const RELAY_ONLY = { AGENT_RELAY_PEER_PORT: 'off' }

type Settle = {
  /** Has each machine to itself before it is linked. */
  settle?: (machine: Machine) => Promise<void>
  /** Of the daemons. */
  env?: Record<string, string>
}

/** Starts the control plane and machines of these names, up and linked. */
export async function openCloud(names: string[], { settle, env }: Settle = {}): Promise<Cloud> {
  const plane = await ownPlane(() => undefined)
  const lab = await openLab()
  const close = async (): Promise<void> => {
    await lab.close()
    await plane.stop()
  }
  try {
    const person = await signIn(plane.url, await plane.signInLink())
    const org = await person.change<{ id: string }>('orgs.create', { name: 'Bench' })
    const machines = names.map((name) => lab.machine(name, env))
    const folder = plane.folder ?? ''
    await liftLimits(folder)
    await Promise.all(
      machines.map(async (machine) => {
        await machine.run(['up'])
        await settle?.(machine)
        await machine.link(plane.url, person, org.id)
      }),
    )
    const gateway = whoRuns(folder)?.serverPid ?? 0
    const postmaster = Number(readFileSync(path.join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n', 1)[0])
    return {
      machines,
      cpu: () => ({ gateway: cpuMicros(gateway) ?? Number.NaN, postgres: cpuOfFamily(postmaster) }),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** One person with a thousand agents is over what a plan for people includes. */
async function liftLimits(folder: string): Promise<void> {
  const url = clusterUrl(await prepareCluster(path.join(folder, 'postgres')))
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`UPDATE "Organization" SET plan = 'enterprise'`)
  await client.end()
}

/** Postgres has a process a connection. Those that have ended are missing; a pool keeps its own. */
function cpuOfFamily(parent: number): number {
  let sum = cpuMicros(parent) ?? Number.NaN
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      if (Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]) === parent) sum += cpuMicros(Number(pid)) ?? 0
    } catch {
      // It has ended meanwhile.
    }
  }
  return sum
}

/** Waits until this daemon's roster has the agents. */
export async function known(from: AgentConnection, names: string[]): Promise<void> {
  for (;;) {
    const { agents } = await from.request('agents', {})
    const there = new Set(agents.map((agent) => agent.name))
    if (names.every((name) => there.has(name))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
