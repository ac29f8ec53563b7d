/** Programs that a script starts: each in its own process group, all of them ended with the script. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { OperatorError } from '#lib/operator-error.ts'

const isWindows = process.platform === 'win32'
const running = new Set<ChildProcess>()
process.on('exit', () => endChildren('SIGKILL'))

/** Starts a program that `endChildren` and the end of this process take along, with everything that it started. */
export function start(command: string, args: string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(command, args, { ...options, detached: !isWindows })
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.once('error', () => running.delete(child))
  return child
}

export function endChildren(signal: NodeJS.Signals): void {
  for (const child of running) endChild(child, signal)
}

/** Signals the whole group of a child, also what its children started. */
export function endChild(child: ChildProcess, signal: NodeJS.Signals): void {
  if (!child.pid) return
  try {
    if (isWindows) child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    // It has ended in the meantime.
  }
}

type Result = { code: number; output: string }

/** Runs a program to its end. Its output is kept, and shown as it comes when `show`. */
export function capture(
  command: string,
  args: string[],
  options: SpawnOptions & { show?: boolean } = {},
): Promise<Result> {
  const { show = false, ...rest } = options
  const child = start(command, args, { ...rest, stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  for (const [stream, out] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const)
    stream?.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (show) out.write(chunk)
    })
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 127, output: `${command}: ${error.message}` }))
    child.once('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }))
  })
}

/**
 * Runs a step silently.
 * @throws OperatorError STEP_FAILED with the step's output before its sentence.
 */
export async function step(label: string, [command, ...args]: Command, options: SpawnOptions = {}): Promise<void> {
  const { code, output } = await capture(command, args, options)
  if (code === 0) return
  throw new OperatorError(
    'STEP_FAILED',
    `${output.trimEnd()}\n${label} failed, see above: correct it and run this again.`,
  )
}

export type Command = [string, ...string[]]

/** A TypeScript or JavaScript file, on the Node that runs us. */
export const nodeCommand = (...args: string[]): Command => [process.execPath, ...args]

/** npm itself; the one that runs us, when one does. */
export function npmCommand(...args: string[]): Command {
  const npm = process.env.npm_execpath
  return npm?.endsWith('.js') ? nodeCommand(npm, ...args) : [isWindows ? 'npm.cmd' : 'npm', ...args]
}
