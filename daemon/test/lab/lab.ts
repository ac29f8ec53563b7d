/** Real daemons and a real control plane, each on a host of its own in networks of ours. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { StatusView } from '@agent-relay/protocol/local'
import { type Agent, type Ledger, makeAgent } from '../faults/agent.ts'
import { type Bell, makeBell } from '../faults/bell.ts'
import { type LinkedMachine, type Machine, makeMachine } from '../faults/machine.ts'
import { verdict } from '../faults/oracle.ts'
import { type Program, startProgram, within } from '../faults/program.ts'
import { knowEachOther } from '../faults/scene.ts'
import { type Network, openNetwork } from './namespaces.ts'

export const CLOUD = '203.0.113.10'
const PORT = 3000
const START_MS = 60_000
const LOOK_MS = 50

export type Link = NonNullable<StatusView['machines'][number]['link']>

export type Lab = {
  network: Network
  plane: Program
  machines: Machine[]
  agents: Agent[]
  bell: Bell
  mail(machine: Machine): Promise<string[]>
  atEnd(act: () => void): void
  machine(name: string): Machine
  agent(name: string): Agent
  /** How this machine says that its way to the other is. */
  link(from: string, to: string): Promise<Link | undefined>
  /** Waits until both say that their link is so; rejects with what they say instead. */
  until(one: string, other: string, isSo: (link: Link | undefined) => boolean, ms: number): Promise<void>
  /** The command line on this machine's host; its output. Throws when it fails. */
  cli(machine: string, ...args: string[]): string
  /** The oracle of the fault tests, once everything is quiet. */
  verdict(): Promise<string[]>
}

type Options = {
  /** The bin of a built bundle. */
  cli: string
  /** Lays the networks; the host `cloud` at CLOUD/24 on the wire `inet` is there already. */
  lay(network: Network): void
  /** By machine, which is named like its host, its agents. */
  cast: Record<string, string[]>
  /** Of the daemons' environment, by machine. */
  env?: Record<string, Record<string, string>>
  /** How fast the clocks of daemons and control plane run; as fast as others when not given. */
  pace?: number
  /** Below 1, waits that are drawn at random are short ones. */
  luck?: number
}

/** Opens a lab, lets a test play in it, and leaves nothing behind however that ends. */
export async function withLab(options: Options, play: (lab: Lab) => Promise<void>): Promise<void> {
  const { cli, lay, cast, env = {}, pace = 1, luck = 1 } = options
  const folder = mkdtempSync(join(tmpdir(), 'relay-lab-'))
  const network = openNetwork()
  const stage = startProgram('lib/testing/stage-process.ts', [], { pace: 1, isOrderly: true })
  const bell = makeBell()
  const ledger: Ledger = { bell, attempts: new Map() }
  const programs: Program[] = []
  const machines: Machine[] = []
  const agents: Agent[] = []
  const ends: (() => void)[] = []
  try {
    network.host('cloud', { wire: 'inet', address: `${CLOUD}/24` })
    lay(network)
    await within(START_MS, stage.ready, () => stage.lastWords())
    const { url } = (await stage.ask('clusterBySocket', {})) as { url: string }
    const plane = startProgram('lib/testing/plane-process.ts', [], {
      env: { DATABASE_URL: url, HOST: '0.0.0.0', PORT: String(PORT), LOG_LEVEL: 'warn' },
      prefix: network.prefix('cloud'),
      pace,
    })
    programs.push(plane)
    await within(START_MS, plane.ready, () => plane.lastWords())
    for (const [name, names] of Object.entries(cast)) {
      const machine = makeMachine({
        folder,
        cli,
        url: `http://${CLOUD}:${PORT}`,
        isInsecure: true,
        ...{ pace, luck },
        // No router in here speaks UPnP, and asking takes its time.
        env: { AGENT_RELAY_PORT_MAPPING: 'off', ...env[name] },
        prefix: network.prefix(name),
        linked: (await stage.ask('machine', { name })) as LinkedMachine,
      })
      machines.push(machine)
      agents.push(...names.map((agent) => makeAgent(machine, agent, { ledger })))
    }
    await Promise.all(machines.map((machine) => machine.start().ready))
    const lab = asLab()
    await within(START_MS, knowEachOther(lab), () => machines.map(({ daemon }) => daemon.lastWords()).join('\n'))
    await play(lab)

    function asLab(): Lab {
      const named = <T extends { name: string }>(all: T[], name: string): T => {
        const found = all.find((one) => one.name === name)
        if (found === undefined) throw new Error(`nobody here is called ${name}`)
        return found
      }
      const machineOf = (name: string): Machine => named(machines, name)
      const link = async (from: string, to: string): Promise<Link | undefined> =>
        (await machineOf(from).status()).machines.find(({ name }) => name === to)?.link
      const self: Lab = {
        ...{ network, plane, machines, agents, bell },
        mail: async (machine) => (await stage.ask('mail', { machine: machine.id })) as string[],
        atEnd: (act) => void ends.push(act),
        machine: machineOf,
        agent: (name) => named(agents, name),
        link,
        async until(one, other, isSo, ms) {
          const ways = [() => link(one, other), () => link(other, one)]
          const until = Date.now() + ms
          for (;;) {
            const said = await Promise.all(ways.map((way) => way()))
            if (said.every(isSo)) return
            if (Date.now() > until)
              throw new Error(
                [`not so within ${ms} ms between ${one} and ${other}: ${JSON.stringify(said)}`]
                  .concat([one, other].map((name) => `${name}:\n${netcheckOf(name)}`))
                  .join('\n'),
              )
            await delay(LOOK_MS)
          }
        },
        cli(machine, ...args) {
          const [command, ...rest] = [...network.prefix(machine), process.execPath, cli, ...args] as [
            string,
            ...string[],
          ]
          return execFileSync(command, rest, {
            encoding: 'utf8',
            env: { ...process.env, AGENT_RELAY_HOME: machineOf(machine).home, NO_COLOR: '1' },
          })
        },
        verdict: () => verdict(self),
      }
      const netcheckOf = (name: string): string => {
        try {
          return self.cli(name, 'netcheck')
        } catch (error) {
          return String(error)
        }
      }
      return self
    }
  } finally {
    for (const act of ends) act()
    for (const agent of agents) agent.close()
    for (const program of [...programs, ...machines.map(({ daemon }) => daemon)]) await program.kill()
    stage.end()
    await within(START_MS, stage.ended, () => `the stage does not end: ${stage.lastWords()}`)
    network.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

export const isDirect = (link: Link | undefined): boolean => link?.state === 'direct'
