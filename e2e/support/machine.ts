/** One machine for the browser tests: a home folder of its own and the built command, run as real processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const cli = path.resolve('daemon/dist/cli.js')

export type Finished = { code: number | null; stdout: string; stderr: string }

export class Running {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  private readonly waiters = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.child = child
    child.stdout?.on('data', (chunk) => this.grow('stdout', String(chunk)))
    child.stderr?.on('data', (chunk) => this.grow('stderr', String(chunk)))
    child.once('exit', () => this.wake())
  }

  /** The first match of `pattern` in what the process has printed so far or prints within `ms`. */
  async printed(pattern: RegExp, ms = 20_000): Promise<RegExpMatchArray> {
    const deadline = Date.now() + ms
    for (;;) {
      const match = `${this.stdout}\n${this.stderr}`.match(pattern)
      if (match) return match
      const left = deadline - Date.now()
      if (left <= 0 || this.child.exitCode !== null)
        throw new Error(`no ${pattern} in:\n${this.stdout}\n${this.stderr}\n(exit ${this.child.exitCode})`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, left)
        const { waiters } = this
        waiters.add(done)
        function done() {
          clearTimeout(timer)
          waiters.delete(done)
          resolve()
        }
      })
    }
  }

  finished(): Promise<Finished> {
    const result = () => ({ code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr })
    if (this.child.exitCode !== null || this.child.signalCode !== null) return Promise.resolve(result())
    return new Promise((resolve) => this.child.once('close', () => resolve(result())))
  }

  private grow(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text
    this.wake()
  }

  private wake(): void {
    for (const waiter of [...this.waiters]) waiter()
  }
}

export class TestMachine {
  readonly name: string
  readonly home: string
  private readonly running: Running[] = []

  constructor(name: string) {
    this.name = name
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), `relay-${name}-`))
  }

  start(args: string[], env: Record<string, string> = {}): Running {
    const child = spawn(process.execPath, [cli, ...args], {
      env: {
        ...process.env,
        FORCE_COLOR: undefined,
        AGENT_RELAY_HOME: this.home,
        AGENT_RELAY_PORT_MAPPING: 'off',
        NO_COLOR: '1',
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const running = new Running(child)
    this.running.push(running)
    return running
  }

  /** Runs a command to its end; throws unless it ends with `code`. */
  async run(args: string[], code = 0): Promise<Finished> {
    const running = this.start(args)
    running.child.stdin?.end()
    const finished = await running.finished()
    if (finished.code !== code)
      throw new Error(
        `agent-relay ${args.join(' ')} ended with ${finished.code}:\n${finished.stdout}\n${finished.stderr}`,
      )
    return finished
  }

  /** Ends everything that this machine started, daemon included. */
  async close(): Promise<void> {
    for (const { child } of this.running) if (child.exitCode === null) child.kill('SIGTERM')
    await Promise.all(this.running.map((r) => r.finished()))
    const down = this.start(['down'])
    down.child.stdin?.end()
    await down.finished()
    fs.rmSync(this.home, { recursive: true, force: true })
  }
}
