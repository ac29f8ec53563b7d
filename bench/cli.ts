/** `agent-relay send` from a cold process, against a Node that does nothing. */
import { cli as bin } from '../scripts/scene/machine.ts'
import { bareNodeMs, processMs } from './baselines.ts'
import { connectAs, openLab } from './daemons.ts'
import { type Figure, type Settings, spread } from './figures.ts'

/** Turns of a repeat; its value is their median, because single starts of a process differ by more than what is measured. */
const ROUNDS = 20

export async function cli({ repeats }: Settings): Promise<Figure[]> {
  const lab = await openLab()
  try {
    const machine = lab.machine('cli')
    await machine.run(['up'])
    const bob = await connectAs(machine, 'Bob')
    const env = { ...process.env, AGENT_RELAY_HOME: machine.home }
    const send = () => processMs(process.execPath, [bin, 'send', 'Bob', 'hello'], env)
    await send()
    const ours: number[] = []
    const bare: number[] = []
    for (let n = 0; n < repeats; n++) {
      const round: { ours: number[]; bare: number[] } = { ours: [], bare: [] }
      for (let turn = 0; turn < ROUNDS; turn++) {
        round.bare.push(await bareNodeMs())
        round.ours.push(await send())
      }
      ours.push(spread(round.ours).median)
      bare.push(spread(round.bare).median)
    }
    bob.close()
    return [
      {
        name: 'cli, send',
        unit: 'ms',
        values: ours,
        baseline: { name: 'node -e 0', values: bare },
        goal: 'node + 20 ms',
      },
      { name: 'cli, send over node', unit: 'ms', values: ours.map((ms, n) => ms - (bare[n] ?? 0)), goal: '≤ 20 ms' },
    ]
  } finally {
    await lab.close()
  }
}
