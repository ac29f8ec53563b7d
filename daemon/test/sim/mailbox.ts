/** The control plane's mailbox: the only thing beside the names that it keeps over a crash. */
import type { Ack, Envelope, Returned } from '@agent-relay/protocol'

export type Mail = { id: number; to: string; expiresAt: number } & (
  | { kind: 'envelope'; envelope: Envelope }
  | { kind: 'return'; returned: Returned }
)

/** What the row of an item in flight is, so that the acknowledgement finds it. */
export const mailKey = ({ to, stream, outboxEpoch }: Pick<Ack, 'to' | 'stream' | 'outboxEpoch'>): string =>
  `${to} ${outboxEpoch} ${stream}`

export type Mailbox = ReturnType<typeof createMailbox>

/** Acknowledgements and receipts on their way back wait as long as a direct message does. */
const RETURN_MS = 7 * 86_400_000

export function createMailbox(now: () => number) {
  let rows: Mail[] = []
  let nextId = 1

  /** What waits for this machine, oldest first, with the time to live that is left. */
  function waiting(machine: string): Mail[] {
    return rows.filter((row) => row.to === machine && row.expiresAt > now())
  }

  return {
    /** Each message once for each machine, however often it comes; under other keys it takes the place of the first. */
    store(envelopes: Envelope[]): void {
      for (const envelope of envelopes) {
        const to = envelope.to.machine
        const known = rows.find((row) => row.kind === 'envelope' && row.to === to && row.envelope.id === envelope.id)
        if (known?.kind === 'envelope') {
          if (sealOf(known.envelope) !== sealOf(envelope)) known.envelope = envelope
          continue
        }
        rows.push({ id: nextId++, to, kind: 'envelope', envelope, expiresAt: now() + envelope.ttlMs })
      }
    },
    storeReturn(to: string, returned: Returned): void {
      rows.push({ id: nextId++, to, kind: 'return', returned, expiresAt: now() + RETURN_MS })
    },
    page(machine: string, except: ReadonlySet<number>, limit: number): Mail[] {
      const page = waiting(machine).filter((row) => !except.has(row.id))
      return page.slice(0, limit).map((row) => {
        if (row.kind === 'return') return row
        const ttlMs = Math.max(1, Math.floor(row.expiresAt - now()))
        return { ...row, envelope: { ...row.envelope, ttlMs } }
      })
    },
    /** The machine has these streams up to `upTo` on its disk. */
    acknowledge(machine: string, acks: Ack[]): void {
      rows = rows.filter((row) => {
        if (row.kind !== 'envelope' || row.to !== machine) return true
        const { from, stream, outboxEpoch, seq } = row.envelope
        const key = mailKey({ to: from.machine, stream, outboxEpoch })
        return !acks.some((ack) => mailKey(ack) === key && seq <= ack.upTo)
      })
    },
    /** Everything that waits for this machine. */
    drop(machine: string): void {
      rows = rows.filter((row) => row.to !== machine)
    },
    remove(id: number): void {
      rows = rows.filter((row) => row.id !== id)
    },
    all: (): Mail[] => rows.filter((row) => row.expiresAt > now()),
  }
}

const sealOf = ({ sealed }: Envelope): string => `${sealed?.by} ${sealed?.to}`
