/** The little of the Redis protocol (RESP2) that the comparison needs; commands of one tick share a write. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'

export type Client = { command(...parts: string[]): Promise<unknown>; close(): void }

/** Over a Unix socket. A command rejects with the server's own error. */
export async function openClient(file: string): Promise<Client> {
  const socket: Socket = createConnection(file)
  await once(socket, 'connect')
  const waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = []
  let out = ''
  let buffer = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    buffer += chunk
    let at = 0
    for (;;) {
      const reply = readReply(buffer, at)
      if (reply === undefined) break
      at = reply.end
      const next = waiting.shift()
      if (reply.value instanceof Error) next?.reject(reply.value)
      else next?.resolve(reply.value)
    }
    buffer = buffer.slice(at)
  })
  return {
    command: (...parts) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        if (out === '')
          setImmediate(() => {
            socket.write(out, 'latin1')
            out = ''
          })
        out += `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`
      }),
    close: () => void socket.destroy(),
  }
}

type Reply = { value: unknown; end: number }

/** One RESP2 value of `text` from `at`, or undefined while a part is missing. */
function readReply(text: string, at: number): Reply | undefined {
  const lineEnd = text.indexOf('\r\n', at)
  if (lineEnd < 0) return undefined
  const line = text.slice(at + 1, lineEnd)
  const next = lineEnd + 2
  switch (text[at]) {
    case '-':
      return { value: new Error(line), end: next }
    case '$': {
      const length = Number(line)
      if (length < 0) return { value: null, end: next }
      return text.length < next + length + 2
        ? undefined
        : { value: text.slice(next, next + length), end: next + length + 2 }
    }
    case '*': {
      const values: unknown[] = []
      let end = next
      for (let n = 0; n < Number(line); n++) {
        const item = readReply(text, end)
        if (item === undefined) return undefined
        values.push(item.value)
        end = item.end
      }
      return { value: values, end }
    }
    default:
      return { value: text[at] === ':' ? Number(line) : line, end: next }
  }
}
