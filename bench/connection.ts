/** A bare client of the local socket: newline-delimited JSON and nothing else, so that the daemon is what is measured. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { LOCAL_VERSION, type LocalResults, type ServerFrame } from '@agent-relay/protocol/local'

type Delivery = Extract<ServerFrame, { type: 'deliver' }>

export type Connection = {
  /** Sends a request; requests of one tick leave in one write. */
  request<T extends keyof LocalResults>(type: T, fields: object): Promise<LocalResults[T]>
  onDeliver(handle: (delivery: Delivery) => void): void
  close(): void
}

export async function openConnection(socketPath: string): Promise<Connection> {
  const socket = createConnection(socketPath)
  await once(socket, 'connect')
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>()
  let onDeliver = (_: Delivery): void => undefined
  let nextId = 1
  let out = ''
  const write = (frame: object): void => {
    if (out === '')
      setImmediate(() => {
        socket.write(out)
        out = ''
      })
    out += `${JSON.stringify(frame)}\n`
  }
  readLines(socket, (line) => {
    const frame = JSON.parse(line) as ServerFrame
    if (frame.type === 'deliver') onDeliver(frame)
    else if (frame.type === 'ok') {
      waiting.get(frame.id)?.resolve(frame.result as never)
      waiting.delete(frame.id)
    } else if (frame.type === 'error') {
      const error = new Error(`${frame.code}: ${frame.message}`)
      if (frame.id === null) socket.destroy(error)
      else waiting.get(frame.id)?.reject(error)
    }
  })
  socket.on('error', (error) => {
    for (const { reject } of waiting.values()) reject(error)
  })
  write({ type: 'hello', v: LOCAL_VERSION, client: 'bench/1' })
  return {
    request: (type, fields) =>
      new Promise((resolve, reject) => {
        const id = nextId++
        waiting.set(id, { resolve, reject })
        write({ type, id, ...fields })
      }),
    onDeliver(handle) {
      onDeliver = handle
    },
    close: () => void socket.destroy(),
  }
}

export function readLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
}
