/** The same work through Redis Streams on this machine, every append synced to disk and every message acknowledged. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start } from '../scripts/children.ts'
import { percentile } from './figures.ts'
import { BODY_BYTES, type Pumped } from './pump.ts'

export type RedisPeer = {
  pump(load: { count: number; inFlight: number }): Promise<Pumped>
  close(): Promise<void>
}

export const hasRedis = (): boolean => spawnSync('redis-server', ['--version']).status === 0

export async function openRedis(): Promise<RedisPeer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'relay-bench-redis-'))
  const file = path.join(folder, 'redis.sock')
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
  const server = start('redis-server', ['--port', '0', '--unixsocket', file, '--dir', folder, ...durable], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of server.stdout as AsyncIterable<Buffer>)
    if (/ready to accept|server is now ready/i.test(`${line}`)) break
  server.stdout?.resume()
  const [producer, consumer] = [await openClient(file), await openClient(file)]
  let round = 0
  return {
    pump: (load) => pumpStream({ producer, consumer, stream: `s${round++}`, ...load }),
    async close() {
      producer.close()
      consumer.close()
      server.kill()
      await once(server, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type Work = { producer: Client; consumer: Client; stream: string; count: number; inFlight: number }

async function pumpStream({ producer, consumer, stream, count, inFlight }: Work): Promise<Pumped> {
  await producer.command('XGROUP', 'CREATE', stream, 'g', '0', 'MKSTREAM')
  const sentAt = new Float64Array(count)
  const tookMs: number[] = []
  let sent = 0
  let arrived = 0
  const answers: Promise<unknown>[] = []
  const fill = (): void => {
    while (sent < count && sent - arrived < inFlight) {
      sentAt[sent] = performance.now()
      answers.push(producer.command('XADD', stream, '*', 'b', `${sent} `.padEnd(BODY_BYTES, 'x')))
      sent++
    }
  }
  const startedAt = performance.now()
  fill()
  while (arrived < count) {
    const read = await consumer.command(
      'XREADGROUP',
      'GROUP',
      'g',
      'c',
      'COUNT',
      '512',
      'BLOCK',
      '0',
      'STREAMS',
      stream,
      '>',
    )
    const entries = (read as [string, [string, string[]][]][])[0]?.[1] ?? []
    for (const [, fields] of entries) {
      if (Number(fields[1]?.split(' ', 1)[0]) !== arrived)
        throw new Error(`Redis gave ${fields[1]} where ${arrived} was due`)
      tookMs.push(performance.now() - (sentAt[arrived++] ?? 0))
    }
    answers.push(consumer.command('XACK', stream, 'g', ...entries.map(([id]) => id)))
    fill()
  }
  await Promise.all(answers)
  const seconds = (performance.now() - startedAt) / 1000
  await producer.command('DEL', stream)
  return {
    perSecond: count / seconds,
    p50Ms: percentile(
      tookMs.sort((a, b) => a - b),
      0.5,
    ),
  }
}

type Client = { command(...parts: string[]): Promise<unknown>; close(): void }

async function openClient(file: string): Promise<Client> {
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
