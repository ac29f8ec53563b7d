/** The work of `pump` and `park` through another program, which says how it appends and how it reads. */
import { percentile } from './figures.ts'
import type { Load, Parked, Pumped } from './pump.ts'

export type Ends = {
  /** Resolves when message `n` is stored. */
  append(n: number): Promise<unknown>
  /** Reads and acknowledges `count` messages; rejects when one is missing, repeated or out of order. */
  read(count: number, onMessage: () => void): Promise<void>
}

export async function pumpThrough({ append, read }: Ends, { count, inFlight }: Load): Promise<Pumped> {
  const sentAt = new Float64Array(count)
  const tookMs: number[] = []
  const answers: Promise<unknown>[] = []
  let sent = 0
  const fill = (): void => {
    while (sent < count && sent - tookMs.length < inFlight) {
      sentAt[sent] = performance.now()
      answers.push(append(sent++))
    }
  }
  const startedAt = performance.now()
  const reading = read(count, () => {
    tookMs.push(performance.now() - (sentAt[tookMs.length] ?? 0))
    fill()
  })
  fill()
  await reading
  await Promise.all(answers)
  const perSecond = count / ((performance.now() - startedAt) / 1000)
  const sorted = tookMs.toSorted((a, b) => a - b)
  return { perSecond, p50Ms: percentile(sorted, 0.5) }
}

export async function parkIn({ append, read }: Ends, { count, inFlight }: Load): Promise<Parked> {
  const startedAt = performance.now()
  let next = 0
  const one = async (): Promise<void> => {
    while (next < count) await append(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  const storedAt = performance.now()
  await read(count, () => undefined)
  return { perSecond: count / ((storedAt - startedAt) / 1000), drainS: (performance.now() - storedAt) / 1000 }
}
