/** One direction of a proxied connection: bytes in, and out again late, slowly, in slices, or never. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { makeBell } from './bell.ts'

export type Weather = {
  /** One way, and up to `jitterMs` more; order is kept, as TCP keeps it. */
  latencyMs?: number
  jitterMs?: number
  /** Towards the machine only, as the slow half of a home line. */
  bytesPerSecond?: number
  /** Every write carries this many bytes. */
  sliceBytes?: number
}

type Options = {
  /** What passes of these bytes. */
  filter(chunk: Buffer): Buffer
  weather(): Weather
  /** What was read goes nowhere. */
  isSwallowed(): boolean
}

/** So much is read ahead; a writer that is further ahead is held back, as by a full line. */
const BUFFER_BYTES = 64 * 1024
/** A slow line carries something this often. */
const SLOW_WRITES_PER_SECOND = 10

/** Passes the end on too. Settles when nothing more can pass; never rejects. */
export async function pump(from: Socket, to: Socket, { filter, weather, isSwallowed }: Options): Promise<void> {
  const waiting: { bytes: Buffer; dueAt: number }[] = []
  let waitingBytes = 0
  let isEnded = false
  const bell = makeBell()
  const end = () => {
    isEnded = true
    bell.ring()
  }
  to.once('close', end)
  const read = async () => {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      const { latencyMs = 0, jitterMs = 0 } = weather()
      const bytes = filter(chunk)
      waiting.push({ bytes, dueAt: performance.now() + latencyMs + Math.random() * jitterMs })
      waitingBytes += bytes.length
      bell.ring()
      await bell.until(() => waitingBytes < BUFFER_BYTES || to.destroyed)
    }
  }
  read().then(end, end)
  for (;;) {
    await bell.until(() => waiting.length > 0 || isEnded)
    const next = waiting.shift()
    if (next === undefined || to.destroyed) break
    const restMs = next.dueAt - performance.now()
    if (restMs > 0) await delay(restMs)
    if (!isSwallowed()) await write(to, next.bytes, weather)
    waitingBytes -= next.bytes.length
    bell.ring()
  }
  if (!to.destroyed && !isSwallowed()) to.end()
}

/** The weather is looked at again for each slice, so that a slow line can become a fast one. */
async function write(to: Socket, bytes: Buffer, weather: () => Weather): Promise<void> {
  for (let at = 0; at < bytes.length && !to.destroyed; ) {
    const { bytesPerSecond, sliceBytes } = weather()
    const slowBytes = bytesPerSecond && Math.max(1, Math.floor(bytesPerSecond / SLOW_WRITES_PER_SECOND))
    const part = bytes.subarray(at, at + (sliceBytes ?? slowBytes ?? bytes.length))
    at += part.length
    if (!to.write(part)) await Promise.race([once(to, 'drain'), once(to, 'close')]).catch(() => undefined)
    if (bytesPerSecond !== undefined) await delay((1000 * part.length) / bytesPerSecond)
    else if (sliceBytes !== undefined) await turn()
  }
}
