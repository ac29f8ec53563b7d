/** Hands over what waited for a machine while it was away: page by page, as fast as its socket takes it, beside live traffic. */
import { setTimeout as delay } from 'node:timers/promises'
import { point } from '#lib/points.ts'
import type { Db } from '#lib/services/context.ts'
import { deleteReturns } from '#lib/services/messages/acknowledge-mail.ts'
import { type Mail, readMail, waitingStreams } from '#lib/services/messages/read-mail.ts'
import type { Log } from './log.ts'
import { type MachineSession, mailKey, streamKey } from './machine-session.ts'

export type Drain = {
  /** Starts at the row with this id, or at the beginning of the mailbox. One that runs goes on from there afterwards. */
  wake(from?: string): void
}

/** While Postgres is away; at once with all the other machines' drains would be a crowd when it is back. */
const retryMs = (): number => 2_000 + Math.random() * 4_000

export function createDrain(session: MachineSession, { db, log }: { db: Db; log: Log }): Drain {
  let isRunning = false
  let hasFailed = false
  /** Where the next pass begins; undefined when nothing is new. */
  let next: string | undefined

  const note = (from: string): void => {
    if (next === undefined || from < next) next = from
  }

  async function run(): Promise<void> {
    isRunning = true
    while (next !== undefined && session.socket.connected) {
      const from = next
      next = undefined
      try {
        await pass(from)
        hasFailed = false
      } catch (error) {
        // What waits stays where it is. Said once an outage, not at every try of every machine.
        note(from)
        if (!hasFailed)
          log.warn({ err: error, machine: session.machineId }, 'mailbox not drained; it is tried again until it is')
        hasFailed = true
        await delay(retryMs(), undefined, { ref: false })
      }
    }
    isRunning = false
  }

  /**
   * From a row to the end of the mailbox. Every row before it was handed over by earlier passes; some after it may have been,
   * because batches of several processes are committed out of the order of their ids, and a page is read before the news
   * of its rows has come.
   */
  async function pass(from: string): Promise<void> {
    if (!session.isMailKnown) await lookAtStreams()
    const expected = [...session.behind]
    let except = [...session.handedOver].filter((id) => id >= from)
    let after: string | undefined
    while (session.socket.connected) {
      await session.untilDrained()
      const page = await readMail(db, session.machineId, after === undefined ? { from, except } : { after, except })
      if (page.length === 0) break
      point('drain.page-read')
      for (const mail of page) handOver(mail)
      const last = page.at(-1)?.id ?? ''
      except = except.filter((id) => id > last)
      after = last
    }
    // What expired or found no room is not there to be handed over, and holds up nobody.
    for (const [key, seq] of expected) if (session.behind.get(key) === seq) session.behind.delete(key)
  }

  async function lookAtStreams(): Promise<void> {
    for (const stream of await waitingStreams(db, session.machineId)) {
      const key = mailKey(stream)
      session.behind.set(key, Math.max(session.behind.get(key) ?? 0, stream.upTo))
    }
    session.isMailKnown = true
  }

  function handOver(mail: Mail): void {
    if (mail.kind === 'envelope' && !session.reads(mail.envelope)) return
    session.handedOver.add(mail.id)
    if (mail.kind === 'return') {
      session.giveReturned(mail.returned)
      session.unconfirmed.push(mail.id)
      return
    }
    const { envelope } = mail
    const key = streamKey(envelope)
    session.mailStreams.set(key, Math.max(session.mailStreams.get(key) ?? 0, envelope.seq))
    session.deliver(envelope)
    if ((session.behind.get(key) ?? Number.POSITIVE_INFINITY) <= envelope.seq) session.behind.delete(key)
  }

  return {
    wake(from = firstId) {
      note(from)
      if (!isRunning) void run()
    },
  }
}

const firstId = '00000000-0000-0000-0000-000000000000'

/**
 * Return frames have no acknowledgement of their own: they are deleted when the machine answers an engine ping that was
 * sent after them, because a socket is read in order. The same pings measure the round trip.
 */
export function confirmByPong(session: MachineSession, { db, log }: { db: Db; log: Log }): void {
  let pinged: string[] = []
  let pingedAt = 0
  const { conn } = session.socket
  conn.on('packetCreate', (packet: { type: string }) => {
    if (packet.type !== 'ping') return
    pinged = session.unconfirmed.slice()
    pingedAt = performance.now()
  })
  conn.on('heartbeat', () => {
    if (pingedAt > 0) session.latencyMs = performance.now() - pingedAt
    const read = pinged
    pinged = []
    if (read.length === 0) return
    session.unconfirmed.splice(0, read.length)
    deleteReturns(db, session.machineId, read).then(
      () => {
        for (const id of read) session.handedOver.delete(id)
      },
      (error) => log.warn({ err: error, machine: session.machineId }, 'returns not deleted'),
    )
  })
}
