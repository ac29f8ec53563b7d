/** The same work through Redis Streams on this machine: it answers an append after the fsync (`appendfsync always`), as we do. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start } from '../scripts/children.ts'
import type { Peer } from './peer.ts'
import { type Ends, parkIn, pumpThrough } from './peer-work.ts'
import { bodyOf, numberOf } from './pump.ts'
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
      return await work(endsOf({ ...clients, stream }))
    } finally {
      await clients.producer.command('DEL', stream)
    }
  }
  return {
    name: 'Redis Streams',
    pump: (load) => inStream((ends) => pumpThrough(ends, load)),
    park: (load) => inStream((ends) => parkIn(ends, load)),
    async close() {
      clients.producer.close()
      clients.consumer.close()
      server.kill()
      await once(server, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type Opened = { producer: Client; consumer: Client; stream: string }

const endsOf = ({ producer, consumer, stream }: Opened): Ends => ({
  append: (n) => producer.command('XADD', stream, '*', 'b', bodyOf(n)),
  async read(count, onMessage) {
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
        onMessage()
      }
      acknowledged.push(consumer.command('XACK', stream, 'g', ...entries.map(([id]) => id)))
    }
    await Promise.all(acknowledged)
  },
})
