/** Daemons under measurement: the built bundle on temporary homes, ended with the run. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Connection, openConnection, type Push } from '../daemon/src/client/connection.ts'
import { homePaths } from '../daemon/src/home/paths.ts'
import { cli, type Machine, makeMachine } from '../scripts/scene/machine.ts'

export type Lab = {
  /** `env` is its daemon's. */
  machine(name: string, env?: Record<string, string>): Machine
  /** Ends every daemon and removes every home. */
  close(): Promise<void>
}

export async function openLab(): Promise<Lab> {
  if (!existsSync(cli)) throw new Error('daemon/dist is not built: run npm run build --workspace agent-relay')
  const folder = await mkdtemp(path.join(tmpdir(), 'relay-bench-'))
  const machines: Machine[] = []
  const lab: Lab = {
    machine(name, env) {
      const machine = makeMachine(folder, name, env)
      machines.push(machine)
      return machine
    },
    async close() {
      await Promise.all(machines.map((machine) => machine.remove()))
      await rm(folder, { recursive: true, force: true })
      open.delete(lab)
    },
  }
  open.add(lab)
  return lab
}

/** Daemons outlive whoever started them: a run that is told to end takes them along. */
export const endLabs = async (): Promise<void> => void (await Promise.all([...open].map((lab) => lab.close())))

const open = new Set<Lab>()

/** Speaks as this agent of a running daemon. */
export type AgentConnection = Pick<Connection, 'request' | 'close'> & {
  /** From now on `handle` gets what is delivered. */
  onDeliver(handle: (delivery: Delivery) => void): void
}
type Delivery = Extract<Push, { type: 'deliver' }>

export async function connectAs(machine: Machine, name: string): Promise<AgentConnection> {
  let handle = (_: Delivery): void => undefined
  const { request, close } = await openConnection({
    socket: homePaths(machine.home).socket,
    client: 'bench/1',
    onPush: (push) => {
      if (push.type === 'deliver') handle(push)
    },
  })
  await request('register', { name })
  return {
    request,
    close,
    onDeliver(next) {
      handle = next
    },
  }
}

export async function pidOf(machine: Machine): Promise<number> {
  return Number(readFileSync(homePaths(machine.home).pid, 'utf8'))
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
