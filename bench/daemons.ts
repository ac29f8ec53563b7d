/** Daemons under measurement: the built bundle on temporary homes, ended with the run. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cli, type Machine, makeMachine } from '../scripts/scene/machine.ts'
import { type Connection, openConnection } from './connection.ts'

export type Lab = {
  machine(name: string): Machine
  /** Ends every daemon and removes every home. */
  close(): Promise<void>
}

export async function openLab(): Promise<Lab> {
  if (!existsSync(cli)) throw new Error('daemon/dist is not built: run npm run build --workspace agent-relay')
  const folder = await mkdtemp(path.join(tmpdir(), 'relay-bench-'))
  const machines: Machine[] = []
  return {
    machine(name) {
      const machine = makeMachine(folder, name)
      machines.push(machine)
      return machine
    },
    async close() {
      await Promise.all(machines.map((machine) => machine.remove()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A connection that speaks as this agent of a running daemon. */
export async function connectAs(machine: Machine, name: string): Promise<Connection> {
  const connection = await openConnection(path.join(machine.home, 'relay.sock'))
  await connection.request('register', { name })
  return connection
}

export async function pidOf(machine: Machine): Promise<number> {
  return Number(readFileSync(path.join(machine.home, 'daemon.pid'), 'utf8'))
}

/** CPU time of a process so far in µs, over all its threads; undefined where there is no /proc. */
export function cpuMicros(pid: number): number | undefined {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`)
    const nanos = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    return nanos.reduce((sum, one) => sum + one, 0) / 1000
  } catch {
    return undefined
  }
}
