/** The same work through NATS JetStream with file storage on this machine: it acknowledges a publish before its fsync, we after. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import {
  AckPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  StorageType,
} from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { start } from '../scripts/children.ts'
import { percentile } from './figures.ts'
import type { Peer } from './peer.ts'
import { bodyOf, type Load, numberOf, type Parked, type Pumped } from './pump.ts'

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
      return await work({ publisher: jetstream(producer), reader: jetstream(consumer), consumer, manager, stream })
    } finally {
      await manager.streams.delete(stream)
    }
  }
  return {
    name: 'JetStream',
    pump: (load) => inStream((ends) => pump(ends, load)),
    park: (load) => inStream((ends) => park(ends, load)),
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

type Ends = {
  publisher: JetStreamClient
  reader: JetStreamClient
  consumer: NatsConnection
  manager: JetStreamManager
  stream: string
}

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
  const reading = read(ends, count, (n) => {
    tookMs.push(performance.now() - (sentAt[n] ?? 0))
    fill()
  })
  fill()
  await reading
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

const append = ({ publisher, stream }: Ends, n: number): Promise<unknown> => publisher.publish(stream, bodyOf(n))

/** Reads and acknowledges `count` messages; throws when one is missing, repeated or out of order. */
async function read(ends: Ends, count: number, onMessage: (n: number) => void): Promise<void> {
  const group = await ends.reader.consumers.get(ends.stream, 'g')
  let arrived = 0
  for await (const message of await group.consume({ max_messages: 1024 })) {
    const n = numberOf(message.string())
    if (n !== arrived) throw new Error(`JetStream gave message ${n} where ${arrived} was due`)
    message.ack()
    arrived++
    onMessage(n)
    if (arrived === count) break
  }
  // Acknowledgements have no answer of their own; after this round trip the server has read them all.
  await ends.consumer.flush()
}
