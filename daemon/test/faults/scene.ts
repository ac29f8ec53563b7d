/** Machines with real daemons, a real control plane over a real Postgres, a proxy of ours on each way, agents that talk. */

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inject } from 'vitest'
import { type Agent, type Ledger, makeAgent } from './agent.ts'
import { type Bell, makeBell } from './bell.ts'
import { type LinkedMachine, type Machine, makeMachine } from './machine.ts'
import { PACE, type Program, startProgram, within } from './program.ts'
import { type NetworkProxy, startProxy } from './proxy.ts'

export type Plane = {
  readonly url: string
  /** The newest process, running or not. */
  readonly program: Program
  /** Starts it on its port; `ready` of it says when it serves. */
  start(options?: { point?: string }): Program
  /** Starts one that waits, all loaded, until the function is called. `point` is where it is to be killed. */
  prepare(point: string): () => Program
}

/** A machine with a proxy of ours on its way to the control plane. Its daemon makes no direct links: they would go around it. */
export type ProxiedMachine = Machine & { readonly proxy: NetworkProxy }

export type Scene = {
  plane: Plane
  /** The labels that the control plane publishes. */
  points: string[]
  machines: ProxiedMachine[]
  agents: Agent[]
  machine(name: string): ProxiedMachine
  /** One more agent, over a socket other than its daemon's own. */
  addAgent(machine: Machine, name: string, socket: string): Agent
  folder: string
  agent(name: string): Agent
  /** Rings at everything that any agent writes down. */
  bell: Bell
  /** What waits in the control plane for this machine, in words. */
  mail(machine: Machine): Promise<string[]>
  /** Resolves when something waits there for this machine. */
  untilMail(machine: Machine): Promise<void>
  /** Of a Postgres of the scene's own. */
  postgres: { pid(): number; stop(): Promise<void>; start(): Promise<void> }
  /** Called when the scene closes, whatever happened. */
  atEnd(act: () => void): void
  close(): Promise<void>
}

export type SceneOptions = {
  cli: string
  /** Each machine's agents. */
  cast: Record<string, string[]>
  pace?: number
  /** Of the daemons; see ProgramOptions. */
  luck?: number
  hasOwnPostgres?: boolean
  /** With direct links between the machines. */
  isDirect?: boolean
}

const START_MS = 60_000
const LOOK_MS = 20
/** How long the control plane waits for its database, in real time: other tests make that busy. */
const PATIENCE_MS = 10_000

/** Everything is connected when this resolves; nothing is left when it fails. */
async function openScene(options: SceneOptions): Promise<Scene> {
  const { cli, cast, pace = PACE, luck = 1, hasOwnPostgres = false, isDirect = false } = options
  const folder = mkdtempSync(join(tmpdir(), 'relay-faults-'))
  const stage = startProgram('lib/testing/stage-process.ts', [], { pace: 1, isOrderly: true })
  const bell = makeBell()
  const ledger: Ledger = { bell, attempts: new Map() }
  const atEnd: (() => void)[] = []
  const programs: Program[] = []
  const proxies: NetworkProxy[] = []
  const agents: Agent[] = []
  const machines: ProxiedMachine[] = []

  async function close(): Promise<void> {
    for (const act of atEnd) act()
    for (const agent of agents) agent.close()
    for (const proxy of proxies) await proxy.close()
    for (const program of [...programs, ...machines.map(({ daemon }) => daemon)]) await program.kill()
    stage.end()
    await within(START_MS, stage.ended, () => `the stage does not end: ${stage.lastWords()}`)
    rmSync(folder, { recursive: true, force: true })
  }

  try {
    await within(START_MS, stage.ready, () => stage.lastWords())
    let { url, pid } = (await stage.ask(...database(hasOwnPostgres))) as { url: string; pid: number }
    const plane = await makePlane(url, pace, programs)
    const { points } = (await within(START_MS, plane.start().ready, () => plane.program.lastWords())) as {
      points: string[]
    }
    for (const [name, names] of Object.entries(cast)) {
      const proxy = await startProxy({ upstream: { port: plane.port, host: '127.0.0.1' } })
      proxies.push(proxy)
      const linked = (await stage.ask('machine', { name })) as LinkedMachine
      const url = `http://127.0.0.1:${proxy.port}`
      const env = { AGENT_RELAY_PEER_PORT: isDirect ? '' : 'off', AGENT_RELAY_PORT_MAPPING: 'off' }
      const machine = Object.assign(makeMachine({ folder, cli, url, pace, luck, env, linked }), { proxy })
      machines.push(machine)
      agents.push(...names.map((agent) => makeAgent(machine, agent, { ledger })))
    }
    await Promise.all(machines.map((machine) => machine.start().ready))
    const scene: Scene = {
      plane,
      points,
      machines,
      agents,
      folder,
      addAgent(machine, name, socket) {
        const agent = makeAgent(machine, name, { ledger, socket })
        agents.push(agent)
        return agent
      },
      machine: (name) => named(machines, name),
      agent: (name) => named(agents, name),
      bell,
      mail: async (machine) => (await stage.ask('mail', { machine: machine.id })) as string[],
      async untilMail(machine) {
        while ((await scene.mail(machine)).length === 0) await delay(LOOK_MS)
      },
      postgres: {
        pid: () => pid,
        stop: async () => void (await stage.ask('stopCluster', {})),
        async start() {
          ;({ pid } = (await stage.ask('startCluster', {})) as { pid: number })
        },
      },
      atEnd: (act) => void atEnd.push(act),
      close,
    }
    await within(START_MS, knowEachOther(scene), () => machines.map(({ daemon }) => daemon.lastWords()).join('\n'))
    return scene
  } catch (error) {
    await close()
    throw error
  }
}

function named<T extends { name: string }>(all: T[], name: string): T {
  const found = all.find((one) => one.name === name)
  if (found === undefined) throw new Error(`nobody here is called ${name}`)
  return found
}

const database = (isOwn: boolean): [string, unknown] =>
  isOwn ? ['cluster', {}] : ['clone', { server: inject('postgresUrl') }]

async function makePlane(databaseUrl: string, pace: number, programs: Program[]): Promise<Plane & { port: number }> {
  const port = await freePort()
  let program: Program | undefined
  const launch = (point: string | undefined, isGated: boolean): Program => {
    const launched = startProgram('lib/testing/plane-process.ts', [], {
      env: { DATABASE_URL: databaseUrl, PORT: String(port), LOG_LEVEL: 'warn', ...(isGated && { GATED: '1' }) },
      point,
      pace,
      patienceMs: PATIENCE_MS,
    })
    programs.push(launched)
    return launched
  }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    get program() {
      if (program === undefined) throw new Error('the control plane was never started')
      return program
    },
    start({ point } = {}) {
      program = launch(point, false)
      return program
    },
    prepare(point) {
      const prepared = launch(point, true)
      return () => {
        prepared.go()
        program = prepared
        return prepared
      }
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A first message from everybody to everybody: refused as long as the name is not known there yet. */
export async function knowEachOther({ agents, bell }: Pick<Scene, 'agents' | 'bell'>): Promise<void> {
  for (const from of agents)
    for (const to of agents) {
      if (from === to) continue
      await bell.until(from.isHere)
      for (;;) {
        const attempt = await from.send(to)
        if (attempt?.fate === 'queued') break
        await delay(LOOK_MS)
      }
    }
}

/** Opens a scene, lets a test play on it, and closes it however that ends. */
export async function withScene(options: SceneOptions, play: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = await openScene(options)
  try {
    await play(scene)
  } finally {
    await scene.close()
  }
}
