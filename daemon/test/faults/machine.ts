/** A linked machine of a scene: its home, its way to the control plane, and its daemon, which comes and goes. */
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { StatusView } from '@agent-relay/protocol/local'
import { type Connection, openConnection } from '../../src/client/connection.ts'
import { writeConfig } from '../../src/home/config.ts'
import { ensureIdentity } from '../../src/home/identity.ts'
import { homePaths } from '../../src/home/paths.ts'
import { type Program, startProgram } from './program.ts'

export type Machine = {
  readonly name: string
  readonly id: string
  readonly home: string
  readonly socket: string
  readonly db: string
  /** The newest daemon, running or not. */
  readonly daemon: Program
  /** Starts a daemon; `ready` of it says when its socket answers. `point` is where it is to be killed. */
  start(options?: { point?: string }): Program
  /** Calls back whenever a daemon of this machine answers, and at once when one does. */
  onReady(act: () => void): void
  status(): Promise<StatusView>
}

type Options = {
  folder: string
  /** The bin of a built bundle. */
  cli: string
  /** Where it finds the control plane. */
  url: string
  /** That is another host, by plain http. */
  isInsecure?: boolean
  pace: number
  luck?: number
  env?: Record<string, string>
  prefix?: string[]
  linked: LinkedMachine
}

/** What the stage answers for a machine that it made. */
export type LinkedMachine = {
  key: string
  machine: { id: string; name: string }
  org: { id: string; slug: string; name: string }
}

export function makeMachine(options: Options): Machine {
  const { folder, cli, url, isInsecure, pace, luck, env, prefix, linked } = options
  const { key, machine, org } = linked
  const paths = homePaths(join(folder, machine.name))
  mkdirSync(paths.home, { mode: 0o700 })
  ensureIdentity(paths)
  writeConfig(paths, {
    v: 1,
    link: { url, key, machine, org, person: 'olga', linkedAt: 0, ...(isInsecure && { isInsecure }) },
  })
  const ready: (() => void)[] = []
  let daemon: Program | undefined
  let isReady = false

  function start({ point }: { point?: string } = {}): Program {
    const started = startProgram(join(dirname(cli), 'daemon.js'), ['--foreground'], {
      env: { AGENT_RELAY_HOME: paths.home, AGENT_RELAY_LOG_LEVEL: 'info', ...env },
      ...(prefix && { prefix }),
      readyLine: '"text":"ready"',
      point,
      pace,
      ...(luck !== undefined && { luck }),
    })
    daemon = started
    isReady = false
    started.ready.then(
      () => {
        isReady = true
        for (const act of ready) act()
      },
      () => undefined, // Killed on its way up; the next one is waited for.
    )
    return started
  }

  return {
    name: machine.name,
    id: machine.id,
    home: paths.home,
    socket: paths.socket,
    db: paths.db,
    get daemon() {
      if (daemon === undefined) throw new Error(`${machine.name} was never started`)
      return daemon
    },
    start,
    onReady(act) {
      ready.push(act)
      if (isReady) act()
    },
    status: () => asking(paths.socket, (connection) => connection.request('status', {})),
  }
}

/** Asks over a connection of its own. */
export async function asking<T>(socket: string, ask: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await openConnection({ socket, client: 'fault-test/1' })
  try {
    return await ask(connection)
  } finally {
    connection.close()
  }
}
