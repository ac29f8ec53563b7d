/** A control plane of its own for the browser tests: the real start script, an empty data folder, GitHub by the emulator. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createEmulator } from 'emulate'

export type ControlPlane = {
  url: string
  github: string
  folder: string
  output: () => string
  close: () => Promise<void>
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export const people = [
  { login: 'alice', email: 'alice@acme.test', name: 'Alice Adams' },
  { login: 'bob', email: 'bob@acme.test', name: 'Bob Brown' },
]

/** Starts GitHub's emulator and `npm start`'s script against it; ready means that /api/ready says so. */
export async function startControlPlane(): Promise<ControlPlane> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'relay-e2e-'))
  const port = await freePort()
  const url = `http://localhost:${port}`
  const github = await createEmulator({
    service: 'github',
    port: await freePort(),
    seed: {
      github: {
        users: people,
        oauth_apps: [
          {
            client_id: 'relay-e2e',
            client_secret: 'relay-e2e-secret',
            name: 'Agent Relay',
            redirect_uris: [`${url}/api/auth/callback/github`],
          },
        ],
      },
    },
  })
  let output = ''
  const child = spawn(process.execPath, ['scripts/start.mjs'], {
    env: {
      ...process.env,
      PORT: String(port),
      PUBLIC_URL: url,
      RELAY_DATA_DIR: folder,
      GITHUB_CLIENT_ID: 'relay-e2e',
      GITHUB_CLIENT_SECRET: 'relay-e2e-secret',
      GITHUB_URL: github.url,
      GITHUB_API_URL: github.url,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  await ready(url, child, () => output)
  return {
    url,
    github: github.url,
    folder,
    output: () => output,
    close: async () => {
      await stop(child)
      await github.close()
      fs.rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function ready(url: string, child: ChildProcess, output: () => string): Promise<void> {
  const deadline = Date.now() + 240_000
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the control plane ended with ${child.exitCode}:\n${output()}`)
    const isReady = await fetch(`${url}/api/ready`).then(
      (r) => r.ok,
      () => false,
    )
    if (isReady) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  child.kill('SIGTERM')
  throw new Error(`the control plane was not ready in time:\n${output()}`)
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const kill = setTimeout(() => child.kill('SIGKILL'), 15_000)
    child.once('exit', () => {
      clearTimeout(kill)
      resolve()
    })
    child.kill('SIGTERM')
  })
}
