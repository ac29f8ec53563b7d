/** One message to everybody: `*:*` from one agent to a thousand on twenty machines, each a copy of its own, durable at both ends. */
import type { Machine } from '../scripts/scene/machine.ts'
import { openCloud, RELAY_ONLY } from './cloud.ts'
import { type AgentConnection, connectAs, cpuMicros, pidOf } from './daemons.ts'
import { type Figure, percentile, type Settings } from './figures.ts'
import { bodyOf } from './pump.ts'

const MACHINES = 20
const AGENTS = 50

type Run = {
  answeredMs: number
  halfMs: number
  lastMs: number
  cpu: { sender: number; gateway: number; daemons: number }
}

export async function fanout({ repeats }: Settings): Promise<Figure[]> {
  const listeners: AgentConnection[] = []
  // Names that are there before the link are claimed together.
  const names = ['caller', ...Array.from({ length: MACHINES }, (_, n) => `m${n}`)]
  const cloud = await openCloud(names, {
    env: RELAY_ONLY,
    async settle(machine) {
      if (machine.name === 'caller') return
      const here = await Promise.all(
        Array.from({ length: AGENTS }, (_, n) => connectAs(machine, `${machine.name}-${n}`)),
      )
      await Promise.all(here.map((listener) => listener.request('subscribe', {})))
      listeners.push(...here)
    },
  })
  try {
    const [caller, ...machines] = cloud.machines as [Machine, ...Machine[]]
    const from = await connectAs(caller, 'Caller')
    await until(async () => (await from.request('agents', {})).agents.filter(isUp).length === MACHINES * AGENTS + 1)
    const pids = { sender: await pidOf(caller), daemons: await Promise.all(machines.map(pidOf)) }
    const cpuOf = () => ({
      sender: cpuMicros(pids.sender) ?? Number.NaN,
      gateway: cloud.cpu().gateway,
      daemons: pids.daemons.reduce((sum, pid) => sum + (cpuMicros(pid) ?? Number.NaN), 0),
    })
    const runs: Run[] = []
    // The first two warm up.
    for (let n = -2; n < repeats * 3; n++) {
      const before = cpuOf()
      const run = await broadcast(from, listeners, n + 2)
      await until(async () => (await from.request('status', {})).queued === 0)
      const after = cpuOf()
      const cpu = {
        sender: (after.sender - before.sender) / listeners.length,
        gateway: (after.gateway - before.gateway) / listeners.length,
        daemons: (after.daemons - before.daemons) / listeners.length,
      }
      if (n >= 0) runs.push({ ...run, cpu })
    }
    for (const connection of [from, ...listeners]) connection.close()
    const figure = (name: string, unit: string, of: (run: Run) => number, goal?: string): Figure => ({
      name: `fanout to ${listeners.length}, ${name}`,
      unit,
      values: runs.map(of),
      ...(goal !== undefined && { goal }),
    })
    return [
      figure('last delivery', 'ms', ({ lastMs }) => lastMs, '≤ 500 ms'),
      figure('half delivered', 'ms', ({ halfMs }) => halfMs),
      figure('queued on disk', 'ms', ({ answeredMs }) => answeredMs),
      figure('CPU of the sending daemon', 'µs/msg', ({ cpu }) => cpu.sender),
      figure('CPU of the control plane', 'µs/msg', ({ cpu }) => cpu.gateway),
      figure('CPU of the receiving daemons', 'µs/msg', ({ cpu }) => cpu.daemons),
    ]
  } finally {
    await cloud.close()
  }
}

const isUp = ({ status }: { status: string }): boolean => status !== 'offline'

/** Sends once and resolves when every agent has its copy; rejects on a repeat or anything else. */
async function broadcast(from: AgentConnection, listeners: AgentConnection[], nth: number): Promise<Omit<Run, 'cpu'>> {
  const tookMs: number[] = []
  const startedAt = performance.now()
  const delivered = listeners.map(
    (listener) =>
      new Promise<void>((resolve, reject) => {
        let isHere = false
        listener.onDeliver(({ message, redelivered }) => {
          if (isHere || redelivered || message.body !== bodyOf(nth))
            return reject(
              new Error(`${message.to} got ${message.id} ${isHere || redelivered ? 'twice' : 'out of turn'}`),
            )
          isHere = true
          tookMs.push(performance.now() - startedAt)
          listener.request('mark', { ids: [message.id], state: 'injected' }).then(() => resolve(), reject)
        })
      }),
  )
  const { messages } = await from.request('send', { to: '*:*', body: bodyOf(nth) })
  const answeredMs = performance.now() - startedAt
  if (messages.length !== listeners.length)
    throw new Error(`*:* meant ${messages.length} agents, not ${listeners.length}`)
  await Promise.all(delivered)
  return { answeredMs, halfMs: percentile(tookMs, 0.5), lastMs: tookMs.at(-1) ?? Number.NaN }
}

async function until(isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone())) await new Promise((resolve) => setTimeout(resolve, 100))
}
