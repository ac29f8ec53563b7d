/** Real daemon processes on homes of their own, for tests: started, killed, and none left behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Message } from '@agent-relay/protocol'
import { type Connection, openConnection } from '../src/client/connection.ts'
import { homePaths } from '../src/home/paths.ts'

export type DaemonProcess = {
  child: ChildProcess /** Waits for its end; gives what it said and its exit code. */
  end(): Promise<{ code: number | null; said: string }>
}

export type Delivery = { message: Message; redelivered: boolean }

/** Everything that one test starts; `close` ends all of it. `cli` is the bin of a built bundle, `env` the daemons' beside ours. */
export function daemonLab(cli: string, env: Record<string, string> = {}) {
  const main = join(dirname(cli), 'daemon.js')
  const folder = mkdtempSync(join(tmpdir(), 'relay-daemon-'))
  const children = new Set<ChildProcess>()
  const connections = new Set<Connection>()

  function spawnDaemon(home: string): DaemonProcess {
    const child = spawn(process.execPath, [main, '--foreground'], {
      env: { ...process.env, AGENT_RELAY_PORT_MAPPING: 'off', ...env, AGENT_RELAY_HOME: home },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    children.add(child)
    let said = ''
    child.stderr?.on('data', (data) => {
      said += data
    })
    const closed = once(child, 'close').then(([code]) => {
      children.delete(child)
      return { code: code as number | null, said }
    })
    return { child, end: () => closed }
  }

  return {
    home: (name: string) => join(folder, name),
    spawnDaemon,
    /** Resolves when its socket answers. */
    async start(home: string): Promise<DaemonProcess> {
      const daemon = spawnDaemon(home)
      const lines = createInterface({ input: daemon.child.stderr as NodeJS.ReadableStream })
      const ready = new Promise<void>((resolve) =>
        lines.on('line', (line) => {
          if (line.includes('"text":"ready"')) resolve()
        }),
      )
      await Promise.race([
        ready,
        daemon.end().then(({ said }) => {
          throw new Error(`the daemon ended: ${said}`)
        }),
      ])
      return daemon
    },
    async kill(daemon: DaemonProcess): Promise<void> {
      daemon.child.kill('SIGKILL')
      await daemon.end()
    },
    /** Connects; with a name, registers it. `deliveries` grows with each push once subscribed. */
    async connect(home: string, name?: string) {
      const deliveries: Delivery[] = []
      let wake: () => void = () => undefined
      const connection = await openConnection({
        socket: homePaths(home).socket,
        client: 'test/1',
        onPush(push) {
          if (push.type === 'deliver') deliveries.push(push)
          wake()
        },
      })
      connections.add(connection)
      if (name !== undefined) await connection.request('register', { name })
      return {
        ...connection,
        deliveries,
        /** Resolves when so many were delivered on this connection. */
        async delivered(count: number): Promise<Delivery[]> {
          while (deliveries.length < count)
            await new Promise<void>((resolve) => {
              wake = resolve
            })
          return deliveries
        },
      }
    },
    async close() {
      for (const connection of connections) connection.close()
      for (const child of children) {
        child.kill('SIGKILL')
        await once(child, 'close')
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
