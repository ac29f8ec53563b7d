/** A control plane to play on: the one that runs, or one of our own with a data folder that goes with us. */
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { reapedFolder } from '#lib/testing/temp-folder.ts'
import { capture, start } from '../children.ts'

export type Plane = {
  url: string
  isOwn: boolean
  /** Its data folder; undefined when it ran before. */
  folder: string | undefined
  /** From the start of its process to its address, in ms; undefined when it ran before. */
  startedMs: number | undefined
  /** A one-time link that signs in the person of this computer. */
  signInLink(): Promise<string>
  /** Ends it when it is ours. */
  stop(): Promise<void>
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const signIn = /https?:\/\/\S+\/sign-in\/local\?token=\S+/

/** The control plane at this address, or undefined when none answers there. */
export async function runningPlane(url: string): Promise<Plane | undefined> {
  try {
    const response = await fetch(`${url}/api/health`, { signal: AbortSignal.timeout(3000) })
    const { version } = (await response.json()) as { version?: string }
    if (!response.ok || version === undefined) return undefined
  } catch {
    return undefined
  }
  return {
    url,
    isOwn: false,
    folder: undefined,
    startedMs: undefined,
    signInLink: () => newSignInLink({}),
    stop: async () => undefined,
  }
}

/**
 * Starts one as `npm start` does, on a free port with an embedded Postgres of its own. `say` hears what it
 * prints for people until it is ready.
 * Without `folder`, its data goes when this process does.
 */
export async function ownPlane(
  say: (line: string) => void,
  folder: string = reapedFolder('relay-scene-', 'postgres/data/postmaster.pid'),
): Promise<Plane> {
  const port = await freePort()
  // Its Postgres may run as another user, who must be able to pass through.
  chmodSync(folder, 0o711)
  const { DATABASE_URL: _, PUBLIC_URL: __, ...inherited } = process.env
  const own = { PORT: String(port), HOST: '127.0.0.1', RELAY_DATA_DIR: folder }
  const startedAt = performance.now()
  const child = start(process.execPath, ['scripts/start.mjs'], {
    cwd: root,
    env: { ...inherited, ...own },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const gone = once(child, 'exit')
  const link = await new Promise<string>((resolve, reject) => {
    let isReady = false
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => {
        const found = signIn.exec(line)?.[0]
        if (found !== undefined) {
          isReady = true
          resolve(found)
        } else if (!isReady && !line.startsWith('{')) say(line)
      })
    gone.then(() => reject(new Error('The control plane ended before it was ready; its last lines say why.')))
  })
  let first: string | undefined = link
  return {
    url: new URL(link).origin,
    isOwn: true,
    folder,
    startedMs: performance.now() - startedAt,
    async signInLink() {
      const given = first ?? (await newSignInLink(own))
      first = undefined
      return given
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await gone
    },
  }
}

/** What `npm run sign-in-link` prints for the control plane of this checkout. */
async function newSignInLink(env: Record<string, string>): Promise<string> {
  const { output } = await capture(process.execPath, ['scripts/sign-in-link.mjs'], {
    cwd: root,
    env: { ...process.env, ...env },
  })
  const found = signIn.exec(output)?.[0]
  if (found === undefined) throw new Error(output.trim().split('\n').at(-1) ?? 'npm run sign-in-link printed nothing')
  return found
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
