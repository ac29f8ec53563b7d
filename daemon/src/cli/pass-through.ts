/** Ties this process's terminal or pipes to a program that the daemon runs: bytes, size, signals and exit code. */
import { execFileSync } from 'node:child_process'
import { fstatSync } from 'node:fs'
import { constants } from 'node:os'
import type { Connection, Push } from '../client/connection.ts'
import { RelayError } from '../errors.ts'

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** Resolves to the program's exit code; `onPush` is told who takes what the daemon pushes. */
export async function passThrough(
  connection: Connection,
  isTerminal: boolean,
  onPush: (handler: (push: Push) => void) => void,
): Promise<number> {
  const { stdin, stdout } = process
  // Before the first output: in its usual mode the terminal makes "\r\r\n" of the program's "\r\n".
  const giveBack = isTerminal ? takeTerminal() : () => {}
  let hasEnded = false
  const exit = new Promise<number>((resolve) => {
    onPush((push) => {
      if (push.type === 'run.output') print(push.stream, Buffer.from(push.data, 'base64'))
      if (push.type === 'run.exit') resolve(push.code ?? 128 + signalNumber(push.signal))
    })
  })

  function print(stream: 'stdout' | 'stderr', data: Buffer): void {
    process[stream].write(data, () => {
      if (!hasEnded) connection.request('run.ack', { bytes: data.length }).catch(() => {})
    })
  }

  async function input(data: Buffer, isEnd: boolean): Promise<void> {
    stdin.pause()
    try {
      await connection.request('run.input', { data: data.toString('base64'), ...(isEnd && { isEnd }) })
    } catch {
      // The program reads no more; its exit tells the rest.
      return
    }
    if (!isEnd && !hasEnded) stdin.resume()
  }

  const resize = () =>
    void connection.request('run.resize', { cols: stdout.columns, rows: stdout.rows }).catch(() => {})
  const signals: Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const forward = (signal: Signal) => void connection.request('run.signal', { signal }).catch(() => {})
  for (const signal of signals) process.on(signal, forward)
  if (isTerminal) stdout.on('resize', resize)
  stdin.on('data', (data: Buffer) => void input(data, false))
  if (endsInput(isTerminal)) stdin.on('end', () => void input(Buffer.alloc(0), true))
  stdin.on('error', () => {})

  try {
    const lost = connection.closed.then((): never => {
      throw new RelayError('DAEMON_DOWN', 'The daemon ended, and the program with it. Next: agent-relay logs')
    })
    return await Promise.race([exit, lost])
  } finally {
    hasEnded = true
    giveBack()
    stdin.destroy()
    for (const signal of signals) process.off(signal, forward)
    stdout.off('resize', resize)
    connection.close()
  }
}

/**
 * Every byte of the terminal goes to the program's own one, both ways; returns how to give it back. By stty, because Node's raw
 * mode goes on making "\r\n" of "\n", and a full-screen program means the one and not the other.
 */
function takeTerminal(): () => void {
  const stty = (args: string[]) =>
    execFileSync('stty', args, { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' }).trim()
  try {
    const before = stty(['-g'])
    stty(['raw', '-echo'])
    return () => void stty([before])
  } catch {
    process.stdin.setRawMode(true)
    return () => void process.stdin.setRawMode(false)
  }
}

/**
 * A pipe or a file that ends, ends the program's input. /dev/null does not: it is what a shell gives a job in the background,
 * and such an agent still hears what others send it.
 */
function endsInput(isTerminal: boolean): boolean {
  if (isTerminal) return false
  try {
    return !fstatSync(0).isCharacterDevice()
  } catch {
    return false
  }
}

const signalNumber = (signal: string | null): number =>
  (signal && (constants.signals as Record<string, number>)[signal]) || 0
