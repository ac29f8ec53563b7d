/** The recipient's machine is away: messages wait in the control plane's Postgres, and come when it is back. */
import type { Machine } from '../scripts/scene/machine.ts'
import { known, openCloud, RELAY_ONLY } from './cloud.ts'
import { type AgentConnection, connectAs, cpuMicros, pidOf } from './daemons.ts'
import { compared, type Figure, type Settings } from './figures.ts'
import { openPeers, PeerValues } from './peers.ts'
import { bodyOf, numberOf, type Parked } from './pump.ts'

/** A full mailbox. One stream has at most 256 messages under way, so there are many. */
const COUNT = 5_000
const SENDERS = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve']
const RECIPIENTS = ['Flo', 'Gus', 'Hal', 'Ida', 'Jon']
const PER_STREAM = COUNT / (SENDERS.length * RECIPIENTS.length)
const IN_FLIGHT = 1_000

type Cpu = { gateway: number; postgres: number; daemon: number }
type Run = Parked & { cpuIn: Cpu; cpuOut: Cpu }

export async function mailbox({ repeats, hasPeers }: Settings): Promise<Figure[]> {
  const cloud = await openCloud(['here', 'away'], { env: RELAY_ONLY })
  const peers = await openPeers(hasPeers)
  try {
    const [here, away] = cloud.machines as [Machine, Machine]
    const senders = await Promise.all(SENDERS.map((name) => connectAs(here, name)))
    let recipients = await Promise.all(RECIPIENTS.map((name) => connectAs(away, name)))
    await Promise.all(senders.map((sender) => known(sender, RECIPIENTS)))
    const sender = await pidOf(here)
    const runs: Run[] = []
    const [rates, drains] = [new PeerValues(), new PeerValues()]
    // The first one warms up.
    for (let n = 0; n <= repeats; n++) {
      for (const recipient of recipients) recipient.close()
      await away.run(['down'])
      const before = { ...cloud.cpu(), daemon: cpuMicros(sender) ?? Number.NaN }
      const { seconds, sent } = await storeAll(senders)
      const between = { ...cloud.cpu(), daemon: cpuMicros(sender) ?? Number.NaN }
      for (const { agent, ids } of sent) await areStored(agent, ids, 0)
      const backAt = performance.now()
      await away.run(['up'])
      recipients = await Promise.all(RECIPIENTS.map((name) => connectAs(away, name)))
      await Promise.all(recipients.map(takeAll))
      const drainS = (performance.now() - backAt) / 1000
      // The recipient's daemon began with this drain.
      const taker = cpuMicros(await pidOf(away)) ?? Number.NaN
      const after = { ...cloud.cpu(), daemon: between.daemon + taker }
      await untilNothingWaits(senders[0] as AgentConnection)
      if (n === 0) continue
      runs.push({
        perSecond: COUNT / seconds,
        drainS,
        cpuIn: since(before, between),
        cpuOut: since(between, after),
      })
      for (const peer of peers.all) {
        const parked = await peer.park({ count: COUNT, inFlight: IN_FLIGHT })
        rates.add(peer, parked.perSecond)
        drains.add(peer, parked.drainS)
      }
    }
    for (const connection of [...senders, ...recipients]) connection.close()
    return figuresOf(runs, rates, drains)
  } finally {
    await peers.close()
    await cloud.close()
  }
}

/**
 * Sends everything and resolves when the sender's daemon knows of the last message of each stream that Postgres has it, and so
 * has all before it, which the caller checks.
 */
async function storeAll(senders: AgentConnection[]) {
  const count = PER_STREAM * RECIPIENTS.length
  const startedAt = performance.now()
  const sent = await Promise.all(
    senders.map(async (agent) => {
      const ids: string[] = []
      let next = 0
      const one = async (): Promise<void> => {
        while (next < count) {
          const n = next++
          const to = RECIPIENTS[n % RECIPIENTS.length] as string
          const { id } = await agent.request('send', { to, body: bodyOf(Math.floor(n / RECIPIENTS.length)) })
          ids[n] = id
        }
      }
      await Promise.all(Array.from({ length: IN_FLIGHT / senders.length }, one))
      await areStored(agent, ids.slice(-RECIPIENTS.length), 60_000)
      return { agent, ids }
    }),
  )
  return { seconds: (performance.now() - startedAt) / 1000, sent }
}

async function areStored(sender: AgentConnection, ids: string[], timeoutMs: number): Promise<void> {
  const { messages, isReached } = await sender.request('wait', { ids, state: 'stored', timeoutMs })
  const other = messages.find(({ state }) => state !== 'stored')
  if (!isReached || other) throw new Error(`message ${other?.id} is ${other?.state}, not stored`)
}

/** Resolves when the agent has its share of every sender, each message once and in order, and has acknowledged it. */
function takeAll(recipient: AgentConnection): Promise<void> {
  const next = new Map(SENDERS.map((name) => [name, 0]))
  let left = PER_STREAM * SENDERS.length
  let marks: string[] = []
  return new Promise((resolve, reject) => {
    const flushMarks = (): void => {
      const ids = marks
      marks = []
      recipient.request('mark', { ids, state: 'injected' }).then(() => {
        if (left === 0 && marks.length === 0) resolve()
      }, reject)
    }
    recipient.onDeliver(({ message, redelivered }) => {
      const due = next.get(message.from)
      const n = numberOf(message.body)
      if (n !== due || redelivered)
        return reject(
          new Error(
            `message ${n} of ${message.from} arrived where ${due} was due${redelivered ? ', redelivered' : ''}`,
          ),
        )
      next.set(message.from, n + 1)
      left--
      if (marks.push(message.id) === 1) setImmediate(flushMarks)
    })
    recipient.request('subscribe', {}).catch(reject)
  })
}

async function untilNothingWaits(sender: AgentConnection): Promise<void> {
  for (;;) {
    const { queued } = await sender.request('status', {})
    if (queued === 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const since = (before: Cpu, after: Cpu): Cpu => ({
  gateway: (after.gateway - before.gateway) / COUNT,
  postgres: (after.postgres - before.postgres) / COUNT,
  daemon: (after.daemon - before.daemon) / COUNT,
})

function figuresOf(runs: Run[], rates: PeerValues, drains: PeerValues): Figure[] {
  const cpu = (name: string, of: (run: Run) => number): Figure => ({
    name: `mailbox, CPU of ${name}`,
    unit: 'µs/msg',
    values: runs.map(of),
  })
  const values = runs.map(({ perSecond }) => perSecond)
  const drained = runs.map(({ drainS }) => drainS)
  return [
    ...compared({ name: 'mailbox, stored', unit: 'msg/s', values, goal: '≥ 15,000 msg/s' }, rates.comparisons()),
    ...compared({ name: `mailbox, ${COUNT} drained`, unit: 's', values: drained, goal: '≤ 2 s' }, drains.comparisons()),
    cpu('the sending daemon, in', ({ cpuIn }) => cpuIn.daemon),
    cpu('the control plane, in', ({ cpuIn }) => cpuIn.gateway),
    cpu('Postgres, in', ({ cpuIn }) => cpuIn.postgres),
    cpu('the control plane, out', ({ cpuOut }) => cpuOut.gateway),
    cpu('Postgres, out', ({ cpuOut }) => cpuOut.postgres),
    cpu('the receiving daemon, out', ({ cpuOut }) => cpuOut.daemon),
  ]
}
