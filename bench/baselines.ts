/** What the machine itself can do, measured in the same run: a round trip between two processes, and a write made durable. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { percentile } from './figures.ts'
import { BODY_BYTES } from './pump.ts'

/** Median ms of appending one message and waiting until the disk has it. */
export function fsyncMs(rounds = 300): number {
  const file = path.join(tmpdir(), `relay-bench-${process.pid}.fsync`)
  const handle = openSync(file, 'a', 0o600)
  try {
    return median(rounds, () => {
      writeSync(handle, 'x'.repeat(BODY_BYTES))
      fdatasyncSync(handle)
    })
  } finally {
    closeSync(handle)
    rmSync(file)
  }
}

function median(rounds: number, act: () => void): number {
  const times: number[] = []
  for (let n = 0; n < rounds; n++) {
    const at = performance.now()
    act()
    times.push(performance.now() - at)
  }
  return percentile(
    times.sort((a, b) => a - b),
    0.5,
  )
}

/** Median ms of one message to another process over a Unix socket and back. */
export async function socketRoundTripMs(rounds = 1000): Promise<number> {
  const file = path.join(tmpdir(), `relay-bench-${process.pid}.sock`)
  const code = `require('net').createServer((s) => s.on('data', (d) => s.write(d))).listen(process.argv[1], () => console.log('up'))`
  const child: ChildProcess = spawn(process.execPath, ['-e', code, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  const socket = createConnection(file)
  await once(socket, 'connect')
  const times: number[] = []
  for (let n = 0; n < rounds; n++) {
    const at = performance.now()
    socket.write('x'.repeat(BODY_BYTES))
    await once(socket, 'data')
    times.push(performance.now() - at)
  }
  socket.destroy()
  child.kill()
  await once(child, 'exit')
  rmSync(file, { force: true })
  return percentile(
    times.sort((a, b) => a - b),
    0.5,
  )
}

/** ms from starting a Node process that does nothing to its end. */
export const bareNodeMs = (): Promise<number> => processMs(process.execPath, ['-e', '0'])

/** ms from starting a process to its end. Throws when it fails. */
export async function processMs(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const at = performance.now()
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (data) => {
    said += data
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${args.join(' ')} ended with code ${code}: ${said.trim()}`)
  return performance.now() - at
}
