/** A client of the local socket that writes whatever it is told, byte for byte. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'

export type RawClient = {
  socket: Socket
  /** Writes as it is, without a newline of its own. */
  send(bytes: string | Uint8Array): void
  /** The next line; undefined when the daemon has ended the connection. */
  line(): Promise<string | undefined>
  /** All further lines, until the daemon ends the connection. */
  rest(): Promise<string[]>
}

export async function rawClient(path: string): Promise<RawClient> {
  const socket = createConnection(path)
  await once(socket, 'connect')
  const lines: string[] = []
  let pending = ''
  let isEnded = false
  let wake: () => void = () => undefined
  socket.setEncoding('utf8').on('data', (text: string) => {
    const parts = (pending + text).split('\n')
    pending = parts.pop() ?? ''
    lines.push(...parts)
    wake()
  })
  const end = (): void => {
    isEnded = true
    wake()
  }
  socket.on('close', end).on('end', end).on('error', end)
  const line = async (): Promise<string | undefined> => {
    while (lines.length === 0 && !isEnded)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    return lines.shift()
  }
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    line,
    async rest() {
      const all: string[] = []
      for (let next = await line(); next !== undefined; next = await line()) all.push(next)
      return all
    },
  }
}
