/** Machines with real daemons, a real control plane over a real Postgres, a proxy of ours on each way, agents that talk. */

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { type Agent, makeAgent } from './agent.ts'
import { type Bell, makeBell } from './bell.ts'
import { type Machine, makeMachine } from './machine.ts'
import { type Program, startProgram, within } from './program.ts'
import { startProxy, type TcpProxy } from './proxy.ts'

export type Plane = {
  readonly url: string
  /** The newest process, running or not. */
  readonly program: Program
  /** Starts it on its port; `ready` of it says when it serves. */
  start(options?: { point?: string }): Program
}

export type Scene = {
  plane: Plane
  /** The labels that the control plane publishes. */
  points: string[]
  machines: Machine[]
  agents: Agent[]
  /** Rings at everything that any agent writes down. */
  bell: Bell
  /** What waits in the control plane for this machine, in words. */
  mail(machine: Machine): Promise<string[]>
  /** Of a Postgres of the scene's own. */
  postgres: { pid(): number; stop(): Promise<void>; start(): Promise<void> }
  close(): Promise<void>
}

export type SceneOptions = {
  cli: string
  /** Each machine's agents. */
  cast: Record<string, string[]>
  /** Of the daemons; see ProgramOptions. */
  luck?: number
  hasOwnPostgres?: boolean
}

const START_MS = 30_000
/** How long the control plane waits for its database, in real time: other tests make that busy. */
const PATIENCE_MS = 10_000

/** Everything is connected when this resolves; `close()` ends all of it, also after a failure. */
export async function openScene(options: SceneOptions): Promise<Scene> {
  const { cli, cast, luck = 1, hasOwnPostgres = false } = options
  const folder = mkdtempSync(join(tmpdir(), 'relay-faults-'))
  const stage = startProgram('lib/testing/stage-process.ts', [], { pace: 1, isOrderly: true })
  const bell = makeBell()
  const programs: Program[] = []
  const proxies: TcpProxy[] = []
  const agents: Agent[] = []
  const machines: Machine[] = []

  async function close(): Promise<void> {
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
    const plane = await makePlane(url, programs)
    const { points } = (await within(START_MS, plane.start().ready, () => plane.program.lastWords())) as {
      points: string[]
    }
    for (const [name, names] of Object.entries(cast)) {
      const proxy = await startProxy(() => plane.port)
      proxies.push(proxy)
      const linked = (await stage.ask('machine', { name })) as Parameters<typeof makeMachine>[0]['linked']
      const machine = makeMachine({ folder, cli, proxy, luck, linked })
      machines.push(machine)
      agents.push(...names.map((agent) => makeAgent(machine, agent, bell)))
    }
    await Promise.all(machines.map((machine) => machine.start().ready))
    const scene: Scene = {
      plane,
      points,
      machines,
      agents,
      bell,
      mail: async (machine) => (await stage.ask('mail', { machine: machine.id })) as string[],
      postgres: {
        pid: () => pid,
        stop: async () => void (await stage.ask('stopCluster', {})),
        async start() {
          ;({ pid } = (await stage.ask('startCluster', {})) as { pid: number })
        },
      },
      close,
    }
    await within(START_MS, knowEachOther(scene), () => machines.map(({ daemon }) => daemon.lastWords()).join('\n'))
    return scene
  } catch (error) {
    await close()
    throw error
  }
}

const database = (isOwn: boolean): [string, unknown] =>
  isOwn ? ['cluster', {}] : ['clone', { server: inject('postgresUrl') }]

async function makePlane(databaseUrl: string, programs: Program[]): Promise<Plane & { port: number }> {
  const port = await freePort()
  let program: Program | undefined
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    get program() {
      if (program === undefined) throw new Error('the control plane was never started')
      return program
    },
    start({ point } = {}) {
      program = startProgram('lib/testing/plane-process.ts', [], {
        env: { DATABASE_URL: databaseUrl, PORT: String(port), LOG_LEVEL: 'warn' },
        point,
        patienceMs: PATIENCE_MS,
      })
      programs.push(program)
      return program
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
async function knowEachOther({ agents, bell }: Scene): Promise<void> {
  for (const from of agents)
    for (const to of agents) {
      if (from === to) continue
      await bell.until(from.isHere)
      for (;;) {
        const attempt = await from.send(to)
        if (attempt?.fate === 'queued') break
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
}
