/**
 * What leaves in one tick leaves in one emit: one emit per message costs six times the throughput.
 * Also holds back what the server has not taken yet, so that a slow control plane cannot fill this process's memory.
 */
import {
  type Envelope,
  MAX_BATCH,
  MAX_BATCH_BYTES,
  MAX_SOCKET_BUFFER_BYTES,
  type RelayResult,
  type ReturnBatch,
} from '@agent-relay/protocol'
import { RelayError } from '../errors.ts'

/** An upper bound of an envelope's JSON without its body. */
const HEADER_BYTES = 2048

type Call = {
  left: number
  results: RelayResult[]
  resolve(results: RelayResult[]): void
  reject(error: unknown): void
}
type Item = { envelope: Envelope; sizeBytes: number; call: Call; index: number }

export type RelayQueue = {
  add(envelopes: Envelope[]): Promise<RelayResult[]>
  /** Rejects everything that waits. */
  clear(error: RelayError): void
}

/** Gathers relay calls; `send` emits one batch and gives its checked results. */
export function relayQueue(send: (envelopes: Envelope[]) => Promise<RelayResult[]>): RelayQueue {
  let items: Item[] = []
  let inFlightBytes = 0
  let isScheduled = false

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      flush()
    })
  }

  function flush(): void {
    let from = 0
    while (from < items.length) {
      let to = from
      let bytes = 0
      for (; to < items.length && to - from < MAX_BATCH; to++) {
        const size = items[to]?.sizeBytes ?? 0
        if (to > from && bytes + size > MAX_BATCH_BYTES) break
        bytes += size
      }
      if (inFlightBytes > 0 && inFlightBytes + bytes > MAX_SOCKET_BUFFER_BYTES) break
      dispatch(items.slice(from, to), bytes)
      from = to
    }
    items = items.slice(from)
  }

  function dispatch(batch: Item[], bytes: number): void {
    inFlightBytes += bytes
    send(batch.map((item) => item.envelope))
      .then(
        (results) => settle(batch, results),
        (error) => {
          for (const { call } of batch) call.reject(error)
        },
      )
      .finally(() => {
        inFlightBytes -= bytes
        if (items.length > 0) schedule()
      })
  }

  return {
    add: (envelopes) =>
      new Promise((resolve, reject) => {
        if (envelopes.length === 0) return resolve([])
        const call: Call = { left: envelopes.length, results: new Array(envelopes.length), resolve, reject }
        envelopes.forEach((envelope, index) => {
          items.push({
            envelope,
            sizeBytes: HEADER_BYTES + jsonBytes(envelope.body) + (envelope.sealed?.data.length ?? 0),
            call,
            index,
          })
        })
        schedule()
      }),
    clear(error) {
      const dropped = items
      items = []
      for (const { call } of dropped) call.reject(error)
    },
  }
}

/** At most this many bytes as JSON. A character takes at most six, so a short text need not be written to be bounded. */
const jsonBytes = (body: string): number =>
  body.length <= 1024 ? 6 * body.length : Buffer.byteLength(JSON.stringify(body))

function settle(batch: Item[], results: RelayResult[]): void {
  const byId = new Map(results.map((result) => [result.id, result]))
  for (const { envelope, call, index } of batch) {
    const result = byId.get(envelope.id)
    if (result === undefined) {
      call.reject(new RelayError('INTERNAL', `The relay did not say what became of message ${envelope.id}.`))
      continue
    }
    call.results[index] = result
    if (--call.left === 0) call.resolve(call.results)
  }
}

export type ReturnQueue = {
  add(batch: ReturnBatch): Promise<void>
  /** Sends what waits now. */
  flush(): void
  clear(error: RelayError): void
}

const nothing = (): Required<ReturnBatch> => ({ acks: [], gaps: [], receipts: [], heard: [] })

/** Gathers acknowledgements, gaps, receipts and their answers; of several acknowledgements of one stream only the furthest goes out. */
export function returnQueue(send: (batch: ReturnBatch) => Promise<void>): ReturnQueue {
  let waiting = nothing()
  let calls: { resolve(): void; reject(error: unknown): void }[] = []
  let isScheduled = false

  function flush(): void {
    isScheduled = false
    if (calls.length === 0) return
    const settled = calls
    const batches = split({ ...waiting, acks: furthest(waiting.acks) })
    waiting = nothing()
    calls = []
    Promise.all(batches.map(send)).then(
      () => {
        for (const call of settled) call.resolve()
      },
      (error) => {
        for (const call of settled) call.reject(error)
      },
    )
  }

  return {
    add: (batch) =>
      new Promise((resolve, reject) => {
        for (const ack of batch.acks) waiting.acks.push(ack)
        for (const gap of batch.gaps) waiting.gaps.push(gap)
        for (const receipt of batch.receipts) waiting.receipts.push(receipt)
        for (const answer of batch.heard ?? []) waiting.heard.push(answer)
        calls.push({ resolve, reject })
        if (isScheduled) return
        isScheduled = true
        setImmediate(flush)
      }),
    flush,
    clear(error) {
      const dropped = calls
      calls = []
      waiting = nothing()
      for (const call of dropped) call.reject(error)
    },
  }
}

function furthest(acks: ReturnBatch['acks']): ReturnBatch['acks'] {
  const byStream = new Map<string, ReturnBatch['acks'][number]>()
  for (const ack of acks) {
    const key = JSON.stringify([ack.to, ack.stream, ack.outboxEpoch])
    const known = byStream.get(key)
    if (known === undefined || ack.upTo > known.upTo) byStream.set(key, ack)
  }
  return [...byStream.values()]
}

/**
 * As many frames as are needed. Acknowledgements begin in the last frame with receipts: a refusal that is read after the
 * acknowledgement which covers it would find its message accepted.
 */
function split({ acks, gaps, receipts, heard }: Required<ReturnBatch>): ReturnBatch[] {
  const framesOf = (all: unknown[]): number => Math.ceil(all.length / MAX_BATCH)
  const firstAcks = Math.max(0, framesOf(receipts) - 1)
  const count = Math.max(1, firstAcks + framesOf(acks), framesOf(receipts), framesOf(gaps), framesOf(heard))
  return Array.from({ length: count }, (_, n) => {
    const part = <T>(all: T[], frame = n): T[] =>
      frame < 0 ? [] : all.slice(frame * MAX_BATCH, (frame + 1) * MAX_BATCH)
    const batch = { acks: part(acks, n - firstAcks), gaps: part(gaps), receipts: part(receipts) }
    return heard.length > n * MAX_BATCH ? { ...batch, heard: part(heard) } : batch
  })
}
