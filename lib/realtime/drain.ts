/** Hands over what waited for a machine while it was away: page by page, as fast as its socket takes it, beside live traffic. */
import { point } from '#lib/points.ts'
import type { Db } from '#lib/services/context.ts'
import { deleteReturns } from '#lib/services/messages/acknowledge-mail.ts'
import { type Mail, readMail } from '#lib/services/messages/read-mail.ts'
import type { Log } from './log.ts'
import { type MachineSession, mailKey } from './machine-session.ts'

/** Starts, or notes that more has come for one that runs. */
export type Drain = { wake(): void }

export function createDrain(session: MachineSession, { db, log }: { db: Db; log: Log }): Drain {
  let isRunning = false
  let hasNews = false

  async function run(): Promise<void> {
    isRunning = true
    try {
      while (hasNews && session.socket.connected) {
        hasNews = false
        await pass()
      }
    } catch (error) {
      // What waits stays where it is; the next wake, or the next connection, tries again.
      log.warn({ err: error, machine: session.machineId }, 'mailbox not drained')
    } finally {
      isRunning = false
    }
  }

  /** Once through the mailbox from its beginning: rows may have been committed out of the order of their ids. */
  async function pass(): Promise<void> {
    let after: string | undefined
    while (session.socket.connected) {
      await session.untilDrained()
      const page = await readMail(db, session.machineId, { after, except: [...session.handedOver] })
      if (page.length === 0) return
      point('drain.page-read')
      for (const mail of page) handOver(mail)
      after = page.at(-1)?.id
    }
  }

  function handOver(mail: Mail): void {
    session.handedOver.add(mail.id)
    if (mail.kind === 'return') {
      session.giveReturned(mail.returned)
      session.unconfirmed.push(mail.id)
      return
    }
    const { envelope } = mail
    const key = mailKey({ to: envelope.from.machine, stream: envelope.stream, outboxEpoch: envelope.outboxEpoch })
    session.mailStreams.set(key, Math.max(session.mailStreams.get(key) ?? 0, envelope.seq))
    session.deliver(envelope)
  }

  return {
    wake() {
      hasNews = true
      if (!isRunning) void run()
    },
  }
}

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
