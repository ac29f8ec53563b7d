/** One machine of a scene: a home of its own and the built `agent-relay` run on it as real processes. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { start as startChild } from '../children.ts'
import type { Person } from './person.ts'

/** The bin of the package as daemon/build.ts makes it. */
export const cli = fileURLToPath(new URL('../../daemon/dist/cli.js', import.meta.url))

export type Machine = {
  name: string
  home: string
  /** Starts a command and leaves it to the caller. */
  start(args: string[]): ChildProcess
  /** Runs a command to its end; gives its stdout, or throws with what it said. */
  run(args: string[]): Promise<string>
  /** Links by device flow; `person` approves the code that the terminal shows. */
  link(url: string, person: Person, org: string): Promise<void>
  /** Stops the daemon and removes the home. */
  remove(): Promise<void>
}

/** `extra` goes into the environment of its commands and of its daemon. */
export function makeMachine(folder: string, name: string, extra: Record<string, string> = {}): Machine {
  const home = path.join(folder, name)
  const env = { ...process.env, AGENT_RELAY_HOME: home, AGENT_RELAY_PORT_MAPPING: 'off', NO_COLOR: '1', ...extra }

  const start = (args: string[]): ChildProcess =>
    startChild(process.execPath, [cli, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })

  async function run(args: string[]): Promise<string> {
    const child = start(args)
    child.stdin?.end()
    const { out, said, code } = await finish(child)
    if (code !== 0) throw new Error(said.trim() || `agent-relay ${args.join(' ')} ended with code ${code}`)
    return out
  }

  return {
    name,
    home,
    start,
    run,
    async link(url, person, org) {
      const child = start(['link', '--url', url, '--name', name, '--no-open'])
      child.stdin?.end()
      const approval = new Promise<void>((resolve, reject) => {
        let isApproved = false
        createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
          const code = /\b[A-Z]{4}-[A-Z]{4}\b/.exec(line)?.[0]
          // The code is shown alone and within the address.
          if (code === undefined || isApproved) return
          isApproved = true
          person.approve(code, org).then(resolve, reject)
        })
      })
      const [end] = await Promise.all([finish(child), Promise.race([approval, once(child, 'close')])])
      if (end.code !== 0) throw new Error(end.said.trim())
    },
    async remove() {
      await finish(start(['down']))
      await rm(home, { recursive: true, force: true })
    },
  }
}

async function finish(child: ChildProcess): Promise<{ out: string; said: string; code: number | null }> {
  let out = ''
  let said = ''
  child.stdout?.on('data', (data) => {
    out += data
  })
  child.stderr?.on('data', (data) => {
    said += data
  })
  const [code] = await once(child, 'close')
  return { out, said, code }
}
