/** One home with its own daemon, driven by the real command line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Result = { code: number | null; stdout: string; stderr: string }

export type Running = {
  child: ChildProcess
  /** What it printed so far. */
  out: { stdout: string; stderr: string }
  /** Resolves when its output matches; rejects with the output when it ends before. */
  until(pattern: RegExp, stream?: 'stdout' | 'stderr'): Promise<RegExpMatchArray>
  ended: Promise<Result>
}

export type Machine = {
  home: string
  /** Runs a command to its end. */
  relay(args: string[], options?: RunOptions): Promise<Result>
  /** Starts another program in this home and watches it. */
  exec(file: string, args: string[], input?: string): Running
  /** Starts a command and watches it. */
  start(args: string[], options?: RunOptions): Running
  daemonPid(): number
  /** Ends everything of this home and removes it. */
  dispose(): Promise<void>
}

type RunOptions = { env?: Record<string, string>; cwd?: string; input?: string }

/** A machine with an empty home; its commands come from this bundle. */
export function createMachine(cli: string): Machine {
  const home = mkdtempSync(join(tmpdir(), 'agent-relay-home-'))
  const running = new Set<Running>()

  function exec(file: string, args: string[], { env = {}, cwd = home, input }: RunOptions): Running {
    const clean = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^AGENT_RELAY_|^NO_COLOR$/.test(name)),
    )
    const child = spawn(file, args, {
      cwd,
      env: { ...clean, AGENT_RELAY_HOME: home, ...env } as unknown as NodeJS.ProcessEnv,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    child.stdin?.end(input)
    const out = { stdout: '', stderr: '' }
    const watchers = new Set<() => void>()
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream]?.setEncoding('utf8').on('data', (text: string) => {
        out[stream] += text
        for (const watcher of [...watchers]) watcher()
      })
    const ended = once(child, 'close').then(([code]): Result => ({ code: code as number | null, ...out }))
    const self: Running = {
      child,
      out,
      ended,
      until: (pattern, stream = 'stdout') =>
        new Promise((resolve, reject) => {
          const look = () => {
            const match = out[stream].match(pattern)
            if (!match) return
            watchers.delete(look)
            resolve(match)
          }
          watchers.add(look)
          look()
          void ended.then((result) => reject(new Error(`ended before ${pattern}: ${JSON.stringify(result)}`)))
        }),
    }
    running.add(self)
    void ended.then(() => running.delete(self))
    return self
  }

  const start = (args: string[], options: RunOptions = {}) => exec(process.execPath, [cli, ...args], options)

  return {
    home,
    exec: (file, args, input) => exec(file, args, input === undefined ? {} : { input }),
    start,
    relay: (args, options) => start(args, options).ended,
    daemonPid: () => Number(readFileSync(join(home, 'daemon.pid'), 'utf8')),
    async dispose() {
      await start(['down']).ended
      for (const { child } of running) child.kill('SIGKILL')
      await Promise.all([...running].map(({ ended }) => ended))
      rmSync(home, { recursive: true, force: true })
    },
  }
}
