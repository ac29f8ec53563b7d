/** One question to the daemon of this home, for commands that also work without one. */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { createInterface } from 'node:readline'
import { LOCAL_VERSION, type LocalRequest, type LocalResults, type ServerFrame } from '@agent-relay/protocol/local'
import { fromWire, RelayError } from '../errors.ts'
import type { HomePaths } from '../home/paths.ts'
import { version } from '../version.ts'

type Question = Extract<LocalRequest['type'], 'status' | 'reload'>

/** The daemon's answer, or undefined when none listens. Throws the daemon's own error. */
export async function askDaemon<T extends Question>(paths: HomePaths, type: T): Promise<LocalResults[T] | undefined> {
  const socket = createConnection(paths.socket)
  try {
    await once(socket, 'connect')
  } catch {
    return undefined
  }
  try {
    socket.setTimeout(10_000, () => socket.destroy())
    socket.write(`${JSON.stringify({ type: 'hello', v: LOCAL_VERSION, client: `cli/${version}` })}\n`)
    socket.write(`${JSON.stringify({ type, id: 1 })}\n`)
    for await (const line of createInterface({ input: socket })) {
      const frame = JSON.parse(line) as ServerFrame
      if (frame.type === 'ok') return frame.result as LocalResults[T]
      if (frame.type === 'error') throw fromWire(frame)
    }
    throw new RelayError(
      'TIMEOUT',
      'The daemon does not answer: stop it with agent-relay down, then run agent-relay up',
    )
  } finally {
    socket.destroy()
  }
}
