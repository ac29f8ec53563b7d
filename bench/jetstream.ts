/** The same work through NATS JetStream with file storage on this machine: it acknowledges a publish before its fsync, we after. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { AckPolicy, type JetStreamClient, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { start } from '../scripts/children.ts'
import type { Peer } from './peer.ts'
import { type Ends, parkIn, pumpThrough } from './peer-work.ts'
import { bodyOf, numberOf } from './pump.ts'

/** A server of its own in a temporary folder; undefined, and said so, when there is none on the PATH. */
export async function openJetStream(): Promise<Peer | undefined> {
  if (spawnSync('nats-server', ['--version']).status !== 0) {
    console.error('nats-server is not on the PATH: nothing is compared with NATS JetStream')
    return undefined
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'relay-bench-nats-'))
  const server = start('nats-server', ['-a', '127.0.0.1', '-p', '-1', '-js', '-sd', folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const servers = await addressOf(server.stderr as NodeJS.ReadableStream)
  server.stderr?.resume()
  const [producer, consumer] = [await connect({ servers }), await connect({ servers })]
  const manager = await jetstreamManager(producer)
  let round = 0
  const inStream = async <T>(work: (ends: Ends) => Promise<T>): Promise<T> => {
    const stream = `s${round++}`
    await manager.streams.add({ name: stream, subjects: [stream], storage: StorageType.File })
    const group = { durable_name: 'g', ack_policy: AckPolicy.Explicit, max_ack_pending: -1 }
    await manager.consumers.add(stream, group)
    try {
      return await work(endsOf({ publisher: jetstream(producer), reader: jetstream(consumer), consumer, stream }))
    } finally {
      await manager.streams.delete(stream)
    }
  }
  return {
    name: 'JetStream',
    pump: (load) => inStream((ends) => pumpThrough(ends, load)),
    park: (load) => inStream((ends) => parkIn(ends, load)),
    async close() {
      await Promise.all([producer.close(), consumer.close()])
      server.kill()
      await once(server, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function addressOf(log: NodeJS.ReadableStream): Promise<string> {
  let address: string | undefined
  for await (const line of createInterface({ input: log })) {
    address ??= /client connections on (\S+)/.exec(line)?.[1]
    if (address !== undefined && line.includes('Server is ready')) return address
  }
  throw new Error('nats-server ended before it was ready')
}

type Opened = { publisher: JetStreamClient; reader: JetStreamClient; consumer: NatsConnection; stream: string }

const endsOf = ({ publisher, reader, consumer, stream }: Opened): Ends => ({
  append: (n) => publisher.publish(stream, bodyOf(n)),
  async read(count, onMessage) {
    const group = await reader.consumers.get(stream, 'g')
    let arrived = 0
    for await (const message of await group.consume({ max_messages: 1024 })) {
      const n = numberOf(message.string())
      if (n !== arrived) throw new Error(`JetStream gave message ${n} where ${arrived} was due`)
      message.ack()
      arrived++
      onMessage()
      if (arrived === count) break
    }
    // Acknowledgements have no answer of their own; after this round trip the server has read them all.
    await consumer.flush()
  },
})
