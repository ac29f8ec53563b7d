/**
 * One proved machine on one socket: what goes out to it, gathered per tick, and how much of that is still on its way.
 * One emit per message would cost six times the throughput of one per tick.
 */
import {
  type Ack,
  type ControlEvents,
  type Envelope,
  envelopeIn,
  errorIn,
  MAX_BATCH,
  MAX_BATCH_BYTES,
  type MachineEvents,
  payloadLength,
  type Returned,
  returnIn,
  type SignalIn,
  type WireError,
} from '@agent-relay/protocol'
import type { Socket } from 'socket.io'
import type { Ctx, MachineActor } from '#lib/services/context.ts'

export type MachineSocketData = {
  actor: MachineActor
  publicKey: string | null
  bootId: string
  /** The version of the control protocol that was agreed. */
  speaks: number
  version: string
  address: string | null
}
export type MachineSocket = Socket<MachineEvents, ControlEvents, Record<string, never>, MachineSocketData>

/** A recipient with more than this on its way is slow: what comes for it waits in its mailbox instead of in our memory. */
const backedUpBytes = 4 * 1024 * 1024
/** The drain of a mailbox goes on below this. */
const drainedBytes = 512 * 1024

/** What the row of an item in flight is, so that the acknowledgement finds it. */
export const mailKey = ({ to, stream, outboxEpoch }: Pick<Ack, 'to' | 'stream' | 'outboxEpoch'>): string =>
  JSON.stringify([to, outboxEpoch, stream])

/** The same of an envelope. */
export const streamKey = ({ from, stream, outboxEpoch }: Envelope): string =>
  mailKey({ to: from.machine, stream, outboxEpoch })

export class MachineSession {
  readonly id: string
  readonly ctx: Ctx<MachineActor>
  readonly socket: MachineSocket
  readonly speaks: number
  lastBeatAt = Date.now()
  latencyMs: number | null
  /** Streams of which rows were handed over from the mailbox, with the highest such seq: only their acknowledgements touch Postgres. */
  readonly mailStreams = new Map<string, number>()
  /** Rows handed over in this session and not yet deleted. */
  readonly handedOver = new Set<string>()
  /** Streams of which rows wait that were not handed over yet, with the highest such seq: what comes for them waits behind those. */
  readonly behind = new Map<string, number>()
  /** Until the mailbox was looked at, anything may wait in it. */
  isMailKnown = false
  /** Return frames handed over; a later pong of the machine shows that it read them. */
  readonly unconfirmed: string[] = []
  #queue: { envelope: Envelope; bytes: number }[] = []
  #queuedBytes = 0
  /** Given to the engine, which holds it until its transport is free. */
  #bufferedBytes = 0
  /** Given to the transport, and not all of it to the kernel yet. */
  #writingBytes = 0
  #isFlushScheduled = false
  #onDrained: (() => void)[] = []

  constructor(init: { id: string; ctx: Ctx<MachineActor>; socket: MachineSocket; latencyMs: number | null }) {
    this.id = init.id
    this.ctx = init.ctx
    this.socket = init.socket
    this.speaks = init.socket.data.speaks
    this.latencyMs = init.latencyMs
    const { conn } = init.socket
    conn.on('flush', () => {
      this.#writingBytes += this.#bufferedBytes
      this.#bufferedBytes = 0
    })
    // The engine's own `drain` comes when it has handed packets on; the transport's, when the kernel has them.
    conn.transport.on('drain', () => this.#written())
  }

  get machineId(): string {
    return this.ctx.actor.machineId
  }

  get isBackedUp(): boolean {
    return this.#queuedBytes + this.#bytesOnTheWay > backedUpBytes
  }

  /** Whether its program can read this envelope: what is sealed cannot be said to an older one, and waits for a newer. */
  reads(envelope: Envelope): boolean {
    return envelope.sealed === undefined || this.speaks >= 3
  }

  /** Whether this envelope may go out now: the socket keeps up, and nothing of its stream waits in the mailbox. */
  takes(envelope: Envelope): boolean {
    if (!this.isMailKnown || this.isBackedUp || !this.reads(envelope)) return false
    return this.behind.size === 0 || !this.behind.has(streamKey(envelope))
  }

  /** This envelope goes to the mailbox, and those that come after it follow it there until it was handed over. */
  fallsBehind(envelope: Envelope): void {
    const key = streamKey(envelope)
    this.behind.set(key, Math.max(this.behind.get(key) ?? 0, envelope.seq))
  }

  get #bytesOnTheWay(): number {
    return this.#bufferedBytes + this.#writingBytes
  }

  /** Puts an envelope on the socket with the others of this tick. */
  deliver(envelope: Envelope): void {
    // The body dominates, and its length in characters is near enough; a batch has room to spare under the socket's limit.
    const bytes = payloadLength(envelope) * 2 + 600
    if (this.#queuedBytes + bytes > MAX_BATCH_BYTES) this.#flush()
    this.#queue.push({ envelope: envelopeIn(this.speaks, envelope), bytes })
    this.#queuedBytes += bytes
    if (this.#queue.length >= MAX_BATCH) this.#flush()
    else if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true
      setImmediate(() => {
        this.#isFlushScheduled = false
        this.#flush()
      })
    }
  }

  giveReturned(returned: Returned): void {
    const batch = returnIn(this.speaks, returned.batch)
    if (!batch) return
    const { acks, gaps, receipts, heard = [] } = batch
    this.#bufferedBytes += 200 * (acks.length + gaps.length + receipts.length + heard.length)
    this.socket.emit('returned', { from: returned.from, batch })
  }

  /** Another machine's signal; the sender has seen whether this one is backed up. */
  giveSignal(signal: SignalIn): void {
    this.#bufferedBytes += signal.sealed.data.length + 200
    this.socket.emit('signal', signal)
  }

  /** Resolves when little enough is on its way, also when the socket has ended. */
  async untilDrained(): Promise<void> {
    this.#flush()
    if (this.#bytesOnTheWay <= drainedBytes || !this.socket.connected) return
    await new Promise<void>((resolve) => this.#onDrained.push(resolve))
  }

  /** The last word, then the end. */
  end(error: WireError): void {
    this.#flush()
    this.socket.emit('goodbye', errorIn(this.speaks, error))
    this.socket.disconnect(true)
    this.released()
  }

  /** The socket is gone: nobody waits for it any longer. */
  released(): void {
    for (const resolve of this.#onDrained.splice(0)) resolve()
  }

  #flush(): void {
    if (this.#queue.length === 0) return
    const envelopes = this.#queue.map(({ envelope }) => envelope)
    this.#queue = []
    this.#bufferedBytes += this.#queuedBytes
    this.#queuedBytes = 0
    this.socket.emit('deliver', { envelopes })
  }

  #written(): void {
    this.#writingBytes = 0
    if (this.#bufferedBytes <= drainedBytes) this.released()
  }
}
