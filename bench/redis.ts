/** The same work through Redis Streams on this machine: it answers an append after the fsync (`appendfsync always`), as we do. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start } from '../scripts/children.ts'
import { percentile } from './figures.ts'
import type { Peer } from './peer.ts'
import { bodyOf, type Load, numberOf, type Parked, type Pumped } from './pump.ts'
import { type Client, openClient } from './redis-client.ts'

/** A server of its own in a temporary folder; undefined, and said so, when there is none on the PATH. */
export async function openRedis(): Promise<Peer | undefined> {
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    console.error('redis-server is not on the PATH: nothing is compared with Redis Streams')
    return undefined
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'relay-bench-redis-'))
  const file = path.join(folder, 'redis.sock')
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
  const server = start('redis-server', ['--port', '0', '--unixsocket', file, '--dir', folder, ...durable], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of server.stdout as AsyncIterable<Buffer>)
    if (/ready to accept|server is now ready/i.test(`${line}`)) break
  server.stdout?.resume()
  const clients = { producer: await openClient(file), consumer: await openClient(file) }
  let round = 0
  const inStream = async <T>(work: (ends: Ends) => Promise<T>): Promise<T> => {
    const stream = `s${round++}`
    await clients.producer.command('XGROUP', 'CREATE', stream, 'g', '0', 'MKSTREAM')
    try {
      return await work({ ...clients, stream })
    } finally {
      await clients.producer.command('DEL', stream)
    }
  }
  return {
    name: 'Redis Streams',
    pump: (load) => inStream((ends) => pump(ends, load)),
    park: (load) => inStream((ends) => park(ends, load)),
    async close() {
      clients.producer.close()
      clients.consumer.close()
      server.kill()
      await once(server, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type Ends = { producer: Client; consumer: Client; stream: string }

async function pump(ends: Ends, { count, inFlight }: Load): Promise<Pumped> {
  const sentAt = new Float64Array(count)
  const tookMs: number[] = []
  const answers: Promise<unknown>[] = []
  let sent = 0
  const fill = (): void => {
    while (sent < count && sent - tookMs.length < inFlight) {
      sentAt[sent] = performance.now()
      answers.push(append(ends, sent++))
    }
  }
  const startedAt = performance.now()
  fill()
  await read(ends, count, (n) => {
    tookMs.push(performance.now() - (sentAt[n] ?? 0))
    fill()
  })
  await Promise.all(answers)
  const perSecond = count / ((performance.now() - startedAt) / 1000)
  return {
    perSecond,
    p50Ms: percentile(
      tookMs.toSorted((a, b) => a - b),
      0.5,
    ),
  }
}

async function park(ends: Ends, { count, inFlight }: Load): Promise<Parked> {
  const startedAt = performance.now()
  let next = 0
  const one = async (): Promise<void> => {
    while (next < count) await append(ends, next++)
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  const storedAt = performance.now()
  await read(ends, count, () => undefined)
  return { perSecond: count / ((storedAt - startedAt) / 1000), drainS: (performance.now() - storedAt) / 1000 }
}

const append = ({ producer, stream }: Ends, n: number): Promise<unknown> =>
  producer.command('XADD', stream, '*', 'b', bodyOf(n))

/** Reads and acknowledges `count` messages; throws when one is missing, repeated or out of order. */
async function read({ consumer, stream }: Ends, count: number, onMessage: (n: number) => void): Promise<void> {
  const group = ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '512', 'BLOCK', '0', 'STREAMS', stream, '>']
  const acknowledged: Promise<unknown>[] = []
  let arrived = 0
  while (arrived < count) {
    const answer = (await consumer.command(...group)) as [string, [string, string[]][]][]
    const entries = answer[0]?.[1] ?? []
    for (const [, fields] of entries) {
      const n = numberOf(fields[1] ?? '')
      if (n !== arrived) throw new Error(`Redis gave message ${n} where ${arrived} was due`)
      arrived++
      onMessage(n)
    }
    acknowledged.push(consumer.command('XACK', stream, 'g', ...entries.map(([id]) => id)))
  }
  await Promise.all(acknowledged)
}
