/** The work of `local` and `relay`: one agent sends, another receives and acknowledges; each message once and in order. */
import type { AgentConnection } from './daemons.ts'
import { percentile } from './figures.ts'

export const BODY_BYTES = 200

export type Load = { count: number; inFlight: number }
type Work = Load & { from: AgentConnection; to: AgentConnection; address: string }
export type Pumped = { perSecond: number; p50Ms: number }
/** Stored while nobody read, and then read: so many a second, and seconds for all. */
export type Parked = { perSecond: number; drainS: number }

/** A body that carries its number. */
export const bodyOf = (n: number): string => `${n} `.padEnd(BODY_BYTES, 'x')
export const numberOf = (body: string): number => Number(body.slice(0, body.indexOf(' ')))

/**
 * Sends `count` messages with at most `inFlight` of them not yet arrived, and resolves when all are queued (answered on disk)
 * and delivered. Rejects on any loss of order or repeat.
 */
export function pump({ from, to, address, count, inFlight }: Work): Promise<Pumped> {
  const sentAt = new Float64Array(count)
  const tookMs: number[] = []
  let sent = 0
  let queued = 0
  let arrived = 0
  let marks: string[] = []
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const finishWhenDone = (): void => {
      if (queued < count || arrived < count || marks.length > 0) return
      const seconds = (performance.now() - startedAt) / 1000
      resolve({
        perSecond: count / seconds,
        p50Ms: percentile(
          tookMs.toSorted((a, b) => a - b),
          0.5,
        ),
      })
    }
    const fill = (): void => {
      while (sent < count && sent - arrived < inFlight) {
        const body = bodyOf(sent)
        sentAt[sent++] = performance.now()
        from.request('send', { to: address, body }).then(() => {
          queued++
          finishWhenDone()
        }, reject)
      }
    }
    const flushMarks = (): void => {
      const ids = marks
      to.request('mark', { ids, state: 'injected' }).then(finishWhenDone, reject)
      marks = []
    }
    to.onDeliver(({ message, redelivered }) => {
      const seq = numberOf(message.body)
      if (seq !== arrived || redelivered)
        return reject(new Error(`message ${seq} arrived where ${arrived} was due${redelivered ? ', redelivered' : ''}`))
      tookMs.push(performance.now() - (sentAt[arrived++] ?? 0))
      if (marks.push(message.id) === 1) setImmediate(flushMarks)
      fill()
    })
    fill()
  })
}
